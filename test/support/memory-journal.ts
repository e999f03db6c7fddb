/** A signing journal in memory; what an append wrote may be made to fail. */
import type { Journal, JournalEntry } from '../../node/replica-types.ts'

export class MemoryJournal implements Journal {
  list: JournalEntry[] = []
  appends = 0
  failing = false
  failingMarks = false
  size = 0

  async *entries(): AsyncIterable<JournalEntry> {
    yield* this.list
  }

  async begin(): Promise<void> {
    this.size ||= 1
  }

  async append(entries: readonly { readonly record: string; readonly op: string }[]): Promise<void> {
    if (this.failing) throw new Error('the journal cannot be written')
    this.appends++
    this.size += entries.length
    this.list.push(...entries.map(({ record, op }) => ({ record, op, settled: false })))
  }

  async settle(): Promise<void> {
    if (this.failingMarks) throw new Error('the journal cannot be marked')
    this.list = this.list.map((entry) => ({ ...entry, settled: true }))
  }

  async abandon(): Promise<void> {
    this.list = this.list.filter(({ settled }) => settled)
  }
}
