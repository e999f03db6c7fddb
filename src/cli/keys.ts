/** keys: publisher keys on this machine. What is printed is public; the seed stays in its file. */
import { keysFolder } from '../config.ts'
import { keyPath, listKeys, newKeyFile, readKeyFile } from '../keys.ts'
import type { Context } from './context.ts'
import { EXIT, Failure } from './output.ts'

/** The key that --key finds without a path, and that a first key is called. */
const DEFAULT_NAME = 'default'

export async function makeKey({ out }: Context, name = DEFAULT_NAME): Promise<void> {
  const path = pathOf(name)
  const { did } = await newKeyFile(path)
  if (out.json) return out.value({ name, path, did })
  if (!out.quiet) out.talk(`wrote ${path}; keep a copy in a safe place, it cannot be made again`)
  await out.data(did)
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
  const { did } = await readKeyFile(path)
  if (out.json) return out.value({ name, path, did })
  await out.data(did)
}

function pathOf(name: string): string {
  if (name === '') throw new Failure(EXIT.usage, 'a key needs a name')
  return keyPath(name, keysFolder)
}
