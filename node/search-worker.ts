/**
 * The thread in which the index lives (search-fts.ts is its other side). Questions are answered in the order in which
 * they come, changes one after the other in slices, so that a search waits for one slice at most.
 *
 * An index that fails in any way is closed and deleted, and the other side is told: it is derived, and an index that
 * may be wrong is worth less than none.
 */
import { statSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { Kind } from '../crdt/index.ts'
import { indexCheckBytesMax, indexSliceRecords } from './limits.ts'
import type { FieldFacts, IndexEntry, QueryProblem, SearchQuery, SearchResult } from './search.ts'
import { SearchEngine } from './search-engine.ts'
import { tablesOf } from './search-fields.ts'
import { deleteIndex } from './search-store.ts'

/** What the thread is started with. The tables come along, since they are all that it needs of crdt/. */
export type Start = { readonly path: string; readonly kinds: Readonly<Record<string, Kind>> }
export type Change = {
  readonly seq: number
  readonly entries: readonly IndexEntry[]
  readonly removed: readonly string[]
}
export type Job =
  | { readonly job: number; readonly do: 'search'; readonly query: SearchQuery }
  | { readonly job: number; readonly do: 'fields'; readonly kinds?: readonly string[] | undefined }
  | { readonly job: number; readonly do: 'apply'; readonly change: Change }
  | { readonly job: number; readonly do: 'reset'; readonly epoch: string }
  | { readonly job: number; readonly do: 'close' }
export type JobAnswer = SearchResult | QueryProblem | readonly FieldFacts[]
export type Told =
  | { readonly told: 'open'; readonly seq: number; readonly epoch: string }
  | { readonly told: 'moved'; readonly seq: number; readonly epoch: string }
  | { readonly told: 'lost'; readonly reason: string }
  | { readonly told: 'done'; readonly job: number; readonly answer?: JobAnswer }
  /** Records that cannot be found because they could not be read: a mistake of ours. */
  | { readonly told: 'left-out'; readonly records: readonly { readonly id: string; readonly why: string }[] }
  /** The index was lost before or under the job. */
  | { readonly told: 'failed'; readonly job: number; readonly reason: string }

const LOADED_AT_ONCE = 250

const port = parentPort!
const { path, kinds } = workerData as Start
const tables = tablesOf(kinds)

let engine: SearchEngine | undefined
let loading: Promise<void> = Promise.resolve()
/** Jobs that change the index wait for each other; searches do not wait for them. */
let changes: Promise<void> = Promise.resolve()

function tell(message: Told): void {
  port.postMessage(message)
}

function lose(error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error)
  try {
    engine?.close()
  } catch {
    // It is thrown away all the same.
  }
  engine = undefined
  try {
    deleteIndex(path)
  } catch {
    // The next reset tries again and says what is wrong.
  }
  tell({ told: 'lost', reason })
}

/** Reads the stored entries into memory, a slice a turn. */
async function load(from: SearchEngine): Promise<void> {
  try {
    while (engine === from && from.load(LOADED_AT_ONCE)) await nextTurn()
  } catch (error) {
    if (engine === from) lose(error)
  }
}

/** What can wait until the first searches are answered. */
async function afterLoad(from: SearchEngine): Promise<void> {
  await loading
  await nextTurn()
  try {
    if (engine === from) from.learnWords()
    await nextTurn()
    if (engine !== from || statSync(path).size > indexCheckBytesMax) return
    const damage = from.damage()
    if (damage !== undefined) lose(new Error(damage))
  } catch (error) {
    if (engine === from) lose(error)
  }
}

function open(): void {
  try {
    engine = new SearchEngine(path, tables)
    tell({ told: 'open', seq: engine.seq, epoch: engine.epoch })
    loading = load(engine)
    void afterLoad(engine)
  } catch (error) {
    lose(error)
  }
}

async function apply({ seq, entries, removed }: Change): Promise<void> {
  await loading
  const into = engine
  if (!into) return
  for (let at = 0; at < entries.length; at += indexSliceRecords) {
    into.apply(entries.slice(at, at + indexSliceRecords), [])
    await nextTurn()
    if (engine !== into) return
  }
  into.apply([], removed, seq)
  if (into.leftOut.length > 0) tell({ told: 'left-out', records: into.leftOut.splice(0) })
  tell({ told: 'moved', seq, epoch: into.epoch })
}

async function reset(epoch: string): Promise<void> {
  await loading
  try {
    engine?.close()
  } catch {
    // A new file follows.
  }
  engine = undefined
  deleteIndex(path)
  const made = new SearchEngine(path, tables)
  made.reset(epoch)
  while (made.load(LOADED_AT_ONCE));
  engine = made
  tell({ told: 'moved', seq: 0, epoch })
}

/** What is being loaded or applied stops at its next slice; its seq has not moved, so it comes again. */
async function close(): Promise<void> {
  const open = engine
  engine = undefined
  await Promise.all([loading, changes])
  open?.close()
  // A reset that was under way has made another.
  ;(engine as SearchEngine | undefined)?.close()
  port.close()
}

async function run(job: Job, work: () => Promise<JobAnswer | undefined>): Promise<void> {
  try {
    const answer = await work()
    if (engine) tell({ told: 'done', job: job.job, answer })
    else tell({ told: 'failed', job: job.job, reason: 'there is no index' })
  } catch (error) {
    // A search that fails by itself says nothing about the index.
    if ((job.do !== 'search' && job.do !== 'fields') || isOfDatabase(error)) lose(error)
    tell({ told: 'failed', job: job.job, reason: error instanceof Error ? error.message : String(error) })
  }
}

function isOfDatabase(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR'
}

port.on('message', (job: Job) => {
  if (job.do === 'search' || job.do === 'fields') {
    void run(job, async () => {
      await loading
      return job.do === 'search' ? engine?.search(job.query) : engine?.fields(job.kinds)
    })
    return
  }
  if (job.do === 'close') {
    void close()
    return
  }
  changes = changes.then(() =>
    run(job, async () => {
      if (job.do === 'apply') await apply(job.change)
      else await reset(job.epoch)
      return undefined
    }),
  )
})

open()
