/** keys: publisher keys on this machine. What is printed is public; the seed stays in its file. */
import { existsSync } from 'node:fs'
import { networkId, opIdToCid, ownerToDid } from '../../crdt/index.ts'
import { keysFolder } from '../config.ts'
import {
  commitmentAt,
  foundIdentity,
  IDENTITY_KEYS,
  identityKey,
  newSeedFile,
  readSeedFile,
  stepOf,
} from '../identity.ts'
import { keyPath, listKeys, newKeyFile, readKeyFile, SEED_SUFFIX, writeIdentityKey } from '../keys.ts'
import { readKeep } from './authority.ts'
import { type Context, connectAs } from './context.ts'
import { EXIT, Failure } from './output.ts'
import { count } from './show.ts'

/** The key that --key finds without a path, and that a first key is called. */
const DEFAULT_NAME = 'default'

export async function makeKey(context: Context, name = DEFAULT_NAME): Promise<void> {
  const { out, options } = context
  const path = pathOf(name)
  if (options['identity']) return makeIdentity(context, path)
  const { did } = await newKeyFile(path)
  if (out.json) return out.value({ name, path, did })
  if (!out.quiet) out.talk(`wrote ${path}; keep a copy in a safe place, it cannot be made again`)
  await out.data(did)
}

/** An owner whose keys can be replaced: the key of today, and the seed of all that follow in a file of its own. */
async function makeIdentity({ out, resolved }: Context, path: string): Promise<void> {
  const seedPath = path.replace(/(\.json)?$/, SEED_SUFFIX)
  if (existsSync(path)) throw new Failure(EXIT.conflict, `${path} exists already; a key is never overwritten`)
  const seed = await newSeedFile(seedPath)
  const { owner, founding } = foundIdentity(seed, networkId(resolved.settings.network), Date.now())
  const key = await writeIdentityKey(path, { seed: identityKey(seed, 1).seed, owner, founding })
  const did = ownerToDid(owner)
  if (out.json) return out.value({ path, seed: seedPath, did, key: key.did })
  if (!out.quiet) {
    out.talk(`wrote ${path}, the key of today`)
    out.talk(`and ${seedPath}: keep it offline, not on this machine. Whoever has it has the identity; without it no`)
    out.talk('lost or stolen key can be replaced. It is needed for nothing else but: peerage keys rotate')
  }
  await out.data(did)
}

/**
 * Hands an identity on to its next key. What the old key did stays as far as the node has seen it, unless told otherwise.
 * Cut in the middle, it is simply done again.
 */
export async function rotate(context: Context, name = DEFAULT_NAME): Promise<void> {
  const { out, options, signal } = context
  const path = pathOf(name)
  const key = await readKeyFile(path)
  const seedPath = options['seed'] as string | undefined
  if (seedPath === undefined) throw new Failure(EXIT.usage, 'rotating needs the seed: --seed FILE')
  const { owner, founding } = key
  if (owner === undefined || founding === undefined)
    throw new Failure(
      EXIT.usage,
      `${path} is a plain key, which cannot be replaced; identities can: keys new --identity`,
    )
  const seed = await readSeedFile(seedPath)
  const step = stepOf(seed, key.key)
  if (step === undefined) throw new Failure(EXIT.integrity, `${seedPath} is the seed of another identity`)
  if (step >= IDENTITY_KEYS) throw new Failure(EXIT.error, `this was the last of ${IDENTITY_KEYS} keys`)
  const next = identityKey(seed, step + 1)
  const client = await connectAs(context, { ...next, owner, founding })
  const authority = await client.authority.own({ signal })
  const reliedOn = (actor: string) =>
    authority.vias().find((via) => {
      const relied = authority.relied(via)
      return relied?.actor === actor && relied.standing.step > 0
    })
  const on = reliedOn(key.key)
  if (on === undefined) throw new Failure(EXIT.integrity, 'the node does not know the key that is to be replaced')
  // Cut off after the node had it and before the file was written: nothing is left to sign.
  const done = reliedOn(next.key)
  const rotated =
    done === undefined
      ? await client.authority.rotate(on, commitmentAt(seed, step + 1), readKeep(options), { signal })
      : { rotate: opIdToCid(done), keeps: [], kept: 0 }
  await writeIdentityKey(path, { seed: next.seed, owner, founding }, true)
  if (out.json) return out.value({ ...rotated, did: ownerToDid(owner), key: next.did, step: step + 1 })
  if (!out.quiet)
    out.talk(`${path} holds key ${step + 1} of ${IDENTITY_KEYS} now; ${count(rotated.kept, 'op')} named as kept`)
  await out.data(rotated.rotate)
}

export async function list({ out }: Context): Promise<void> {
  const keys = await listKeys(keysFolder)
  for (const key of keys) {
    if (out.json) await out.value(key)
    else if (out.quiet) await out.data(key.did ?? '')
    else await out.data(`${key.name.padEnd(16)}  ${key.did ?? key.problem}  ${out.dim(key.path)}`)
  }
  if (keys.length === 0 && !out.json && !out.quiet) out.talk(`none in ${keysFolder}; make one with: peerage keys new`)
}

export async function show({ out }: Context, name = DEFAULT_NAME): Promise<void> {
  const path = pathOf(name)
  const { did, owner } = await readKeyFile(path)
  const whose = owner === undefined ? did : ownerToDid(owner)
  if (out.json) return out.value({ name, path, did: whose, ...(owner !== undefined && { key: did }) })
  await out.data(whose)
}

function pathOf(name: string): string {
  if (name === '') throw new Failure(EXIT.usage, 'a key needs a name')
  return keyPath(name, keysFolder)
}
