/**
 * The journal compared with the store: what our key has signed that the store does not hold.
 *
 * What was marked as stored must be there, else the store was set back. What has no mark was signed just before a
 * crash: if it is there all is well, and if not nobody was ever told of it, so it is abandoned.
 */
import type { OpId } from '../crdt/index.ts'
import type { Journal, JournalEntry } from './replica-types.ts'

export type Held = (ids: readonly OpId[]) => Promise<readonly boolean[]>

/** At open: also says in the journal what became of what has no mark. */
export async function forkedRecords(journal: Journal, held: Held): Promise<JournalEntry[]> {
  const unmarked: JournalEntry[] = []
  const forked = await missingFrom(journal, held, (entry) => unmarked.push(entry))
  if (unmarked.length > 0) {
    const there = await held(unmarked.map(({ op }) => op))
    await journal.abandon()
    const stored = unmarked.filter((_, i) => there[i])
    if (stored.length > 0) {
      await journal.append(stored)
      await journal.settle()
    }
  }
  return forked
}

/** What was marked as stored and is not held in a good copy. */
export async function missingFrom(
  journal: Journal,
  held: Held,
  onUnmarked: (entry: JournalEntry) => void = () => {},
): Promise<JournalEntry[]> {
  const missing: JournalEntry[] = []
  const compare = async (entries: readonly JournalEntry[]) => {
    const there = await held(entries.map(({ op }) => op))
    missing.push(...entries.filter((_, i) => !there[i]))
  }
  const some: JournalEntry[] = []
  for await (const entry of journal.entries()) {
    if (!entry.settled) onUnmarked(entry)
    else if (some.push(entry) >= READ_AHEAD) await compare(some.splice(0))
  }
  await compare(some)
  return missing
}

const READ_AHEAD = 1024
