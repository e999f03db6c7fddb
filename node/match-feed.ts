/**
 * What the log means for one search: which of its changes made a record meet it, changed one that does, or ended that.
 *
 * Every answer is made from the log alone: a record before and after an op is what the ops that had arrived by then
 * make of it. So the same place of the log tells the same at any time, a reader may stop and go on anywhere, and
 * nothing has to be remembered for it. Of records with very many ops the past is not made again: whenever one changes
 * it is told as it is now, `changed` or `gone`, the latter also where it never was.
 */
import type { Merged } from '../crdt/index.ts'
import type { Change, ReplicaFace } from './replica-types.ts'
import type { Matcher } from './saved-match.ts'

export type Match = 'new' | 'changed' | 'gone'
export type MatchChange = {
  readonly change: Change
  readonly match: Match
  /** As it was made by this change, or as it was before it was gone; as it is now where the past is not made again. */
  readonly record: Merged
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
  const byRecord = Map.groupBy(changes, ({ record }) => record)
  const now = await replica.records([...byRecord.keys()])
  const found: MatchChange[] = []
  for (const [at, [id, those]] of [...byRecord].entries()) {
    const record = now[at]
    if (record === undefined) continue
    if (record.opCount === 1) {
      for (const change of those) if (matcher(record)) found.push({ change, match: 'new', record })
      continue
    }
    const states = await replica.statesAt(
      id,
      those.flatMap(({ seq }) => [seq - 1, seq]),
    )
    for (const [place, change] of those.entries()) {
      if (states === undefined) {
        found.push({ change, match: matcher(record) ? 'changed' : 'gone', record })
        continue
      }
      const [before, after] = [states[2 * place], states[2 * place + 1]]
      const [did, does] = [matcher(before), matcher(after)]
      if (does) found.push({ change, match: did ? 'changed' : 'new', record: after as Merged })
      else if (did) found.push({ change, match: 'gone', record: before as Merged })
    }
  }
  found.sort((a, b) => a.change.seq - b.change.seq)
  return { matches: found, last: changes.at(-1)?.seq ?? since, more: changes.length === limit }
}
