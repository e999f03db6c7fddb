/**
 * Whether the secrets of a data folder are those of its last start. A key in which a bit has flipped is a key all the
 * same, and one that is gone is made anew: nobody would be told. The store remembers the first bytes of their hashes.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from './replica-types.ts'

const NOTE = 'secrets'
const HASH_BYTES = 8

/** By file, what it means when it is another one. */
const SECRETS: Readonly<Record<string, string>> = {
  key: 'what the node wrote until now belongs to the old key, and only that can change it',
  'peer-key': 'peers know the node by another id',
  token: 'clients need the new one',
  'webhook-secret': 'receivers of webhooks need new secrets',
}

type Notes = {
  note(name: string): Promise<Uint8Array | undefined>
  setNote(name: string, value: Uint8Array, options?: { readonly sync?: boolean }): Promise<void>
}

/** Says so once, at the start that finds another one; a secret that was never there before is not another one. */
export async function nameChangedSecrets(data: string, notes: Notes, log: Log): Promise<void> {
  const held = await notes.note(NOTE)
  const before: Record<string, string> = held === undefined ? {} : JSON.parse(Buffer.from(held).toString())
  const now = Object.fromEntries(
    await Promise.all(Object.keys(SECRETS).map(async (name) => [name, await seen(data, name)])),
  )
  for (const [name, means] of Object.entries(SECRETS)) {
    if (before[name] === undefined || before[name] === now[name]) continue
    log(
      'warn',
      `the file ${name} is not the one of the last start: ${means}; if nobody replaced it, restore a backup of it`,
    )
  }
  const text = JSON.stringify(now)
  if (text !== JSON.stringify(before)) await notes.setNote(NOTE, Buffer.from(text), { sync: true })
}

async function seen(data: string, name: string): Promise<string | undefined> {
  const secret = await readFile(join(data, name)).catch(() => undefined)
  if (secret === undefined) return undefined
  return createHash('sha256')
    .update(`peerage/seen/${name}\n`)
    .update(secret)
    .digest('hex')
    .slice(0, 2 * HASH_BYTES)
}
