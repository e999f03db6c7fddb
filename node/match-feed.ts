/**
 * What the log means for one search: which of its changes made a record meet it, changed one that does, or ended that.
 *
 * Every answer is made from the log alone: a record before and after an op is what the ops that had arrived by then
 * make of it. So the same place of the log tells the same at any time, a reader may stop and go on anywhere, and
 * nothing has to be remembered for it. An op that takes or gives authority is told for each record that it changed. Of
 * records whose past is not made again (very many ops, erased ones) whatever changes them tells how they are now,
 * `changed` or `gone`, the latter also where it never was.
 */
import type { Merged, RecordId, Value } from '../crdt/index.ts'
import type { Change, ReplicaFace } from './replica-types.ts'
import type { Matcher } from './saved-match.ts'

export type Match = 'new' | 'changed' | 'gone'
export type MatchChange = {
  readonly match: Match
  /** The op; `record` and `kind` are those of the record that it changed. */
  readonly change: Change
  readonly slug: string | undefined
  readonly name: Value | undefined
}
export type Matches = {
  readonly matches: readonly MatchChange[]
  /** How far the log was read: where to go on. `since` itself at the end of the log. */
  readonly last: number
  readonly more: boolean
}

/** Reads at most `limit` changes of the log. */
export async function matchesIn(
  replica: ReplicaFace,
  matcher: Matcher,
  since: number,
  limit: number,
): Promise<Matches> {
  const changes = await replica.changes(since, limit)
  const touches = await touchesOf(replica, changes)
  const now = await replica.records([...touches.keys()])
  const found: MatchChange[] = []
  for (const [at, those] of [...touches.values()].entries()) {
    const record = now[at]
    if (record !== undefined) found.push(...(await matchesOf(replica, matcher, record, those)))
  }
  found.sort((a, b) => a.change.seq - b.change.seq)
  return { matches: found, last: changes.at(-1)?.seq ?? since, more: changes.length === limit }
}

/** The changes by the records that they touch. */
async function touchesOf(replica: ReplicaFace, changes: readonly Change[]): Promise<Map<RecordId, Change[]>> {
  const touches = new Map<RecordId, Change[]>()
  const touch = (record: RecordId, change: Change) => {
    const known = touches.get(record)
    if (known) known.push(change)
    else touches.set(record, [change])
  }
  for (const change of changes) {
    // Only an authority record has no kind.
    const owner = change.kind === '' ? await replica.ownerOfAuthority(change.record) : undefined
    if (owner === undefined) touch(change.record, change)
    else for (const record of await replica.touchedAt(owner, change.seq)) touch(record, change)
  }
  return touches
}

async function matchesOf(
  replica: ReplicaFace,
  matcher: Matcher,
  now: Merged,
  changes: readonly Change[],
): Promise<MatchChange[]> {
  const told = (match: Match, change: Change, { record, kind, slug, doc }: Merged): MatchChange => ({
    match,
    change: { ...change, record, kind },
    slug,
    name: doc['name'] ?? slug,
  })
  if (now.opCount === 1 && now.judged === undefined) {
    return matcher(now) ? changes.map((change) => told('new', change, now)) : []
  }
  const states = await replica.statesAt(
    now.record,
    changes.flatMap(({ seq }) => [seq - 1, seq]),
  )
  if (states === undefined) return changes.map((change) => told(matcher(now) ? 'changed' : 'gone', change, now))
  return changes.flatMap((change, at) => {
    const [before, after] = [states[2 * at], states[2 * at + 1]]
    const [did, does] = [matcher(before), matcher(after)]
    if (does) return [told(did ? 'changed' : 'new', change, after as Merged)]
    return did ? [told('gone', change, before as Merged)] : []
  })
}
