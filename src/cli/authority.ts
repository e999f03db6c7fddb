/** grant, revoke, authority, erase: who may write, and what is taken out for good. */
import { didToKey, didToOwner, type Path, pathOf, RIGHTS } from '../../crdt/index.ts'
import type { GrantStatus } from '../answers.ts'
import type { Client } from '../client.ts'
import type { KeepWish } from '../client-authority.ts'
import { closest } from '../closest.ts'
import { confirm } from './confirm.ts'
import { type Context, connect } from './context.ts'
import { readExpiry } from './expiry.ts'
import { EXIT, type ExitCode, Failure, oneLine } from './output.ts'
import { count, timeOf } from './show.ts'

export async function grant(context: Context, reference: string, did: string): Promise<void> {
  const { out, options, signal } = context
  const to = didToKey(did)
  if (to === undefined) throw new Failure(EXIT.usage, `${JSON.stringify(did)} is no did:key`)
  const client = await connect(context)
  const rights = readRights(options['rights'] as string)
  const kinds = listOf(options['kinds'])
  if (reference !== '*' && kinds !== undefined)
    throw new Failure(EXIT.usage, 'one record has one kind: --kinds goes with *')
  const records = reference === '*' ? undefined : [(await client.resolve(reference, { signal })).id]
  const paths = listOf(options['fields'])?.map(readField)
  const expiry = readExpiry(options['expires'] as string | undefined, Date.now())
  const grants = await client.authority.grant(
    {
      to,
      rights,
      ...(records && { records }),
      ...(kinds && { kinds }),
      ...(paths && { paths }),
      ...(expiry !== undefined && { expiry }),
      ...ownerOf(options['owner']),
    },
    { signal },
  )
  if (out.json) return out.value({ grants })
  if (!out.quiet) {
    out.talk(`${did} may ${rights.join(', ')} ${reference === '*' ? 'all records' : reference}`)
    if (grants.length > 1) out.talk('two grants: a delete takes away a whole record, so it is not bound to fields')
  }
  for (const id of grants) await out.data(id)
}

/** By the grant's id, or all grants of a key that hold. */
export async function revoke(context: Context, what: string): Promise<ExitCode> {
  const { out, options, signal } = context
  const client = await connect(context)
  const keep = readKeep(options)
  const grants = what.startsWith('did:') ? await heldBy(client, what, context) : [what]
  if (grants.length === 0) throw new Failure(EXIT.notFound, `no grant to ${what} holds`)
  for (const id of grants) {
    const revoked = await client.authority.revoke(id, keep, { signal })
    if (out.json) await out.value(revoked)
    else {
      if (!out.quiet) out.talk(`${id} is revoked; ${count(revoked.kept, 'op')} named as kept`)
      await out.data(revoked.revoke)
    }
  }
  return EXIT.ok
}

/** Of a record or an owner: the grants, and of a record how its ops count. */
export async function show(context: Context, what: string | undefined): Promise<void> {
  const { out, signal } = context
  const client = await connect(context)
  const record = what !== undefined && !isDid(what) ? await client.authority.of(what, { signal }) : undefined
  const did = what !== undefined && isDid(what) ? what : await ownDid(client, context)
  const answer = record ?? (await client.authority.ofOwner(did, { signal }))
  if (out.json) return out.value(answer)
  for (const one of answer.grants) await out.data(out.quiet ? one.op : grantLine(one))
  if (answer.grants.length === 0 && !out.quiet) out.talk(`nobody but ${answer.owner} may write`)
  if (record === undefined || out.quiet) return
  for (const { op, actor, rank, voided_by, erased, inert } of record.ops) {
    if (!voided_by && !erased && !inert) continue
    const why = voided_by
      ? `voided by ${voided_by.join(', ')}`
      : erased
        ? 'erased'
        : 'inert: beyond what its grant allows'
    await out.data(`${op}  ${actor}  rank ${rank ?? 0}  ${why}`)
  }
  for (const pair of record.equivocations) out.talk(`one key signed two ops on equal parents: ${pair.join(' and ')}`)
}

export async function erase(context: Context, reference: string): Promise<ExitCode> {
  const { out, options, signal } = context
  const client = await connect(context)
  const ops = options['op'] as readonly string[] | undefined
  const reason = options['reason'] as string | undefined
  const what = ops === undefined ? `everything that ${reference} ever said` : count(ops.length, 'op')
  if (!options['yes'] && !(await confirm(context, `Erase ${what} for good?`))) {
    out.talk('nothing was erased')
    return EXIT.error
  }
  const wish = { ...(ops && { ops }), ...(reason !== undefined && { reason }) }
  for (const id of await client.authority.erase(reference, wish, { signal })) await out.data(id)
  if (!out.quiet && !out.json) out.talk('erased here; peers follow as they learn of it')
  return EXIT.ok
}

/** What outlives a grant or a key. */
export function readKeep(options: Readonly<Record<string, unknown>>): KeepWish {
  const { since, drop } = options
  if (since !== undefined && drop) throw new Failure(EXIT.usage, 'one of --since and --drop')
  return drop ? 'nothing' : since === undefined ? 'seen' : { since: since as string }
}

function grantLine({ op, to, rights, kinds, records, fields, expires_at, holds, taken_by }: GrantStatus): string {
  const where = records ? count(records.length, 'record') : (kinds?.join(', ') ?? 'all records')
  const only = fields ? `, only ${fields.map((field) => oneLine(field, 40)).join(' ')}` : ''
  const until = expires_at === undefined ? '' : `, until ${timeOf(expires_at)}`
  return `${op}  ${to}  ${rights.join(',')}  ${where}${only}${until}${holds ? '' : `  taken by ${taken_by?.join(', ')}`}`
}

async function heldBy(client: Client, did: string, context: Context): Promise<string[]> {
  const { grants } = await client.authority.ofOwner(await ownDid(client, context), { signal: context.signal })
  return grants.filter(({ to, holds }) => to === did && holds).map(({ op }) => op)
}

async function ownDid(client: Client, { options, signal }: Context): Promise<string> {
  const named = options['owner'] as string | undefined
  const did = named ?? client.did ?? (await client.status({ signal })).did
  if (did === null) throw new Failure(EXIT.usage, 'this node has no key of its own: name the owner')
  return did
}

function ownerOf(did: unknown) {
  if (did === undefined) return {}
  const owner = didToOwner(String(did))
  if (owner === undefined) throw new Failure(EXIT.usage, `${JSON.stringify(did)} is no DID of an owner`)
  return { owner }
}

function readRights(text: string): string[] {
  const rights = text.split(',').map((right) => right.trim())
  const unknown = rights.find((right) => !RIGHTS.includes(right as never))
  if (unknown === undefined) return [...new Set(rights)]
  const near = closest(unknown, [...RIGHTS])
  throw new Failure(
    EXIT.usage,
    `unknown right ${JSON.stringify(unknown)}; ${near === undefined ? `expected ${RIGHTS.join(', ')}` : `did you mean ${near}?`}`,
  )
}

function readField(field: string): Path {
  const path = field.startsWith('/') ? pathOf(field) : [field]
  if (path === undefined || field === '') throw new Failure(EXIT.usage, `${JSON.stringify(field)} is no field`)
  return path
}

function listOf(text: unknown): string[] | undefined {
  return typeof text === 'string' ? text.split(',').map((item) => item.trim()) : undefined
}

function isDid(text: string): boolean {
  return text.startsWith('did:')
}
