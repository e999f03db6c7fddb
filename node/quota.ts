/**
 * How much of one owner or actor live intake takes: ops in an hour, and records and bytes in all.
 *
 * Counted is every op that goes in, however it came, for its actor and for the owner of its record, in rows that are
 * written with the ops; so the counts are right after a restart and take no memory. What is over a quota is refused
 * from publishers and gossip only, and catch-up takes it all the same: a quota slows a flood down where it enters, and
 * nodes of different quotas still settle.
 */
import { decode, encode, type Op, type Owner, ownerOfKey, type Sha256 } from '../crdt/index.ts'
import { quotaOpBytes } from './limits.ts'
import { sealed, unsealed } from './rows.ts'

/** 0 means no bound. */
export type Quota = { readonly opsPerHour: number; readonly records: number; readonly bytes: number }

export const NO_QUOTA: Quota = { opsPerHour: 0, records: 0, bytes: 0 }

/** `level`: live ops that are not forgotten yet, as of `at` (ms since 1970). */
export type Usage = {
  readonly records: number
  readonly bytes: number
  readonly level: number
  readonly at: number
}

export const NO_USAGE: Usage = { records: 0, bytes: 0, level: 0, at: 0 }

const HOUR_MS = 3_600_000

/** Whom an op counts for: the owner of its record, and its actor. */
export function countedFor({ header }: Op, owner: Owner): readonly Owner[] {
  const actor = ownerOfKey(header.actor)
  return actor === owner ? [owner] : [owner, actor]
}

/** What an op adds. */
export function costOf({ header }: Op): { readonly records: number; readonly bytes: number } {
  return { records: header.genesis === undefined ? 0 : 1, bytes: header.bodyLength + quotaOpBytes }
}

/** Live ops of the last hour, as they are forgotten: evenly, an hour's worth in an hour. */
export function levelAt({ level, at }: Usage, { opsPerHour }: Quota, now: number): number {
  // Of a quota that was lowered no more than an hour's worth is held against anybody.
  // A clock that was set back forgets nothing, and one that was ahead holds nobody up for longer.
  return Math.max(0, Math.min(level, opsPerHour) - (opsPerHour * Math.max(0, now - at)) / HOUR_MS)
}

/** Whether one more op would be over it. */
export function isOver(quota: Quota, usage: Usage, cost: ReturnType<typeof costOf>, now: number): boolean {
  const { opsPerHour, records, bytes } = quota
  return (
    (opsPerHour > 0 && levelAt(usage, quota, now) + 1 > opsPerHour) ||
    (records > 0 && cost.records > 0 && usage.records + cost.records > records) ||
    (bytes > 0 && usage.bytes + cost.bytes > bytes)
  )
}

export function usageRow({ records, bytes, level, at }: Usage, sha256: Sha256): Uint8Array {
  return sealed(encode([records, bytes, Math.round(level * 1000), at]), sha256)
}

/** Of a damaged row the count begins anew. */
export function readUsage(row: Uint8Array | undefined, sha256: Sha256): Usage {
  const value = row && unsealed(row, sha256)
  const read = value && decode(value)
  if (!read?.ok || !Array.isArray(read.value)) return NO_USAGE
  const [records, bytes, level, at] = read.value
  const isUsage = [records, bytes, level, at].every((part) => typeof part === 'number')
  if (!isUsage) return NO_USAGE
  return { records: records as number, bytes: bytes as number, level: (level as number) / 1000, at: at as number }
}
