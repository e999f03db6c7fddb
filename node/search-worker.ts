/**
 * The thread in which the index lives (search-index.ts is its other side). Questions are answered in the order in
 * which they come; everything else goes in pieces of `indexSliceMs`, so that a question waits for one piece at most:
 * taking in changes, joining segments, reading and writing files.
 *
 * An index that fails in any way is thrown away and the other side is told: it is derived, and an index that may be
 * wrong is worth less than none.
 */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { Kind } from '../crdt/index.ts'
import { GiveBack } from './give-back.ts'
import { fieldsMs, indexKeptMs, indexSliceMs } from './limits.ts'
import type { FieldList, IndexChange, IndexEntry, IndexRow, QueryProblem, SearchQuery, SearchResult } from './search.ts'
import { madeBy, SearchEngine } from './search-engine.ts'
import { tablesOf } from './search-fields.ts'
import { deleteIndex, IndexFolder } from './search-files.ts'
import type { TextSink } from './search-merge.ts'
import { isRow, type PackedRows, unpackRows } from './search-rows.ts'
import { IndexDamage } from './search-texts.ts'
import { WorkBudget } from './search-work.ts'

/** What the thread is started with. The tables come along, since they are all that it needs of crdt/. */
export type Start = {
  readonly path: string
  readonly kinds: Readonly<Record<string, Kind>>
  /** Of the hashes of values: by chance, so that nobody can prepare collisions. */
  readonly seed: number
  readonly keptRecords: number
}
export type Job =
  | { readonly job: number; readonly do: 'search'; readonly query: SearchQuery }
  | { readonly job: number; readonly do: 'fields'; readonly kinds?: readonly string[] | undefined }
  /** Some of the entries of the next `apply`. */
  | { readonly job: number; readonly do: 'take'; readonly entries: readonly IndexEntry[]; readonly rows: PackedRows }
  | { readonly job: number; readonly do: 'apply'; readonly change: Omit<IndexChange, 'entries'> }
  | { readonly job: number; readonly do: 'reset'; readonly epoch: string }
  | { readonly job: number; readonly do: 'close' }
export type JobAnswer = SearchResult | QueryProblem | FieldList
export type Told =
  | { readonly told: 'open'; readonly seq: number; readonly epoch: string }
  | { readonly told: 'moved'; readonly seq: number; readonly epoch: string }
  | { readonly told: 'lost'; readonly reason: string }
  | { readonly told: 'done'; readonly job: number; readonly answer?: JobAnswer }
  /** Records that cannot be found because they could not be read: a mistake of ours. */
  | { readonly told: 'left-out'; readonly records: readonly { readonly id: string; readonly why: string }[] }
  /** The index was lost before or under the job. */
  | { readonly told: 'failed'; readonly job: number; readonly reason: string }

/** One state of the index, from open or reset to loss or close. */
type Open = {
  readonly engine: SearchEngine
  readonly folder: IndexFolder
  readonly epoch: string
  /** What is on disk is behind by so much, records and changes together; 0 = it is all there. */
  unkept: number
}

/** Between looks at how much there is to keep. */
const indexLookMs = 50

const port = parentPort!
const { path, kinds, seed, keptRecords } = workerData as Start
const tables = tablesOf(kinds)
const made = madeBy(tables)

let current: Open | undefined
let loading: Promise<void> = Promise.resolve()
/** Jobs that change the index wait for each other; searches do not wait for them. */
let changes: Promise<void> = Promise.resolve()
let upkeep: Promise<void> | undefined
let keeping: Promise<void> | undefined
let taken: (IndexEntry | IndexRow)[] = []
const giveBack = new GiveBack((ms, call) => {
  const timer = setTimeout(call, ms).unref()
  return () => clearTimeout(timer)
})
let isLoaded = true
let isClosing = false

function tell(message: Told): void {
  port.postMessage(message)
}

function lose(error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error)
  forget()
  try {
    deleteIndex(path)
  } catch {
    // The next reset tries again and says what is wrong.
  }
  tell({ told: 'lost', reason })
}

function forget(): void {
  for (const { texts } of current?.engine.segments ?? []) texts.close()
  current = undefined
}

/** Runs steps, a slice a turn, as long as this index is the one in use. Undefined when it was not to the end. */
async function run<T>(of: Open, steps: Generator<undefined, T>): Promise<{ value: T } | undefined> {
  for (;;) {
    const end = performance.now() + indexSliceMs
    do {
      const step = steps.next()
      if (step.done) return { value: step.value }
    } while (performance.now() < end)
    await nextTurn()
    if (current !== of) return undefined
  }
}

function open(): void {
  try {
    const folder = new IndexFolder(path, made)
    const manifest = folder.manifest()
    const opened: Open = { engine: new SearchEngine(tables, seed), folder, epoch: manifest?.epoch ?? '', unkept: 0 }
    current = opened
    opened.engine.seq = manifest?.seq ?? 0
    tell({ told: 'open', seq: opened.engine.seq, epoch: opened.epoch })
    folder.clean(new Set(manifest?.segments.map(({ file }) => file)))
    if (!manifest) return
    isLoaded = false
    loading = (async () => {
      try {
        const segments = await run(opened, folder.load(manifest, opened.engine.values))
        if (segments) await run(opened, opened.engine.take(segments.value))
        startUpkeep(opened)
      } catch (error) {
        if (current === opened) lose(error)
      }
      isLoaded = true
    })()
  } catch (error) {
    lose(error)
  }
}

type Read = (row: IndexRow) => IndexEntry

/** Reading rows takes all of crdt/, so it is loaded with the first of them: a start that has none is the quicker. */
async function reader(): Promise<Read> {
  return (await import('./search-entry.ts')).receivedOf
}

/**
 * Read some at a time: the documents of a whole batch would outlive the collector's first looks, and one by one reading
 * and indexing would take the processor's caches from each other.
 */
function* received(sent: readonly (IndexEntry | IndexRow)[], read: Read | undefined): Generator<IndexEntry> {
  for (let from = 0; from < sent.length; from += READ_AT_ONCE) {
    yield* sent.slice(from, from + READ_AT_ONCE).map((one) => (isRow(one) ? read!(one) : one))
  }
}

/** A millisecond's worth. */
const READ_AT_ONCE = 32

async function apply(change: Omit<IndexChange, 'entries'>, sent: readonly (IndexEntry | IndexRow)[]): Promise<void> {
  await loading
  const to = current
  const read = sent.some(isRow) ? await reader() : undefined
  if (!to || current !== to) return
  const changed = { ...change, entries: received(sent, read), count: sent.length }
  if (!(await run(to, to.engine.apply(changed)))) return
  to.unkept += 1 + sent.length + change.removed.length
  const { leftOut } = to.engine
  if (leftOut.length > 0) tell({ told: 'left-out', records: leftOut.splice(0) })
  tell({ told: 'moved', seq: change.seq, epoch: to.epoch })
  startUpkeep(to)
  startKeeping(to)
}

async function reset(epoch: string): Promise<void> {
  await loading
  forget()
  await Promise.all([upkeep, keeping])
  deleteIndex(path)
  const folder = new IndexFolder(path, made)
  // On disk with the first change: a kill before it leaves no index, which is as good as an empty one.
  current = { engine: new SearchEngine(tables, seed), folder, epoch, unkept: 0 }
  tell({ told: 'moved', seq: 0, epoch })
}

/** Joins segments until there is nothing to join; one at a time. */
function startUpkeep(of: Open): void {
  upkeep ??= (async () => {
    let sink: TextSink | undefined
    try {
      while (current === of && !isClosing) {
        sink = undefined
        const sinkFor = (documents: number) => {
          sink = of.folder.sink(documents)
          return sink
        }
        const did = await run(of, of.engine.upkeep(sinkFor))
        if (!did?.value) return
      }
    } catch (error) {
      sink?.abandon()
      // Segments that are not joined answer the same, and the next change begins again.
      if (current === of && !isFull(error)) lose(error)
    } finally {
      upkeep = undefined
    }
  })()
}

/** Brings what came to disk, when it is much or after a while. */
function startKeeping(of: Open): void {
  keeping ??= (async () => {
    try {
      for (let waited = 0; of.unkept < keptRecords && waited < indexKeptMs && !isClosing; waited += indexLookMs) {
        await delay(indexLookMs, undefined, { ref: false })
        if (current !== of) return
      }
      if (!isClosing) await keep(of)
    } catch (error) {
      if (current === of && !isFull(error)) lose(error)
      // What is on disk is older, and whole; in memory all is there.
      else if (!isClosing) await delay(indexKeptMs, undefined, { ref: false })
    } finally {
      keeping = undefined
      if (current === of && of.unkept > 0 && !isClosing) startKeeping(of)
    }
  })()
}

async function keep(of: Open): Promise<void> {
  const { engine, folder } = of
  for (;;) {
    const { segments } = engine
    if (!(await run(of, folder.file(segments, engine.values)))) return
    if (engine.segments !== segments) {
      // Joined or joined by others meanwhile: what is filed now is not all, and some of it is no more.
      for (const segment of segments) if (!engine.segments.includes(segment)) segment.texts.close()
      continue
    }
    const { unkept } = of
    const kept = new Set(segments.flatMap(({ file }) => file ?? []))
    await folder.keep(segments, engine.seq, of.epoch)
    of.unkept -= unkept
    for (const { file } of engine.segments) if (file !== undefined) kept.add(file)
    // A segment that is being made has a file that nobody names yet.
    if (current === of && upkeep === undefined) folder.clean(kept)
    return
  }
}

/** Loading stops at its next slice; a change that is being taken in is finished, and all that is held goes to disk. */
async function close(): Promise<void> {
  isClosing = true
  if (!isLoaded) forget()
  await Promise.all([loading, changes])
  await Promise.all([upkeep, keeping])
  const last = current
  try {
    if (last && last.unkept > 0) await keep(last)
  } catch {
    // What is on disk is older then, and whole.
  }
  forget()
  port.close()
}

async function answer(job: Job, work: () => Promise<JobAnswer | undefined>): Promise<void> {
  try {
    const found = await work()
    if (current) tell({ told: 'done', job: job.job, ...(found !== undefined && { answer: found }) })
    else tell({ told: 'failed', job: job.job, reason: 'there is no index' })
  } catch (error) {
    // A question that fails by itself says nothing about the index.
    if ((job.do !== 'search' && job.do !== 'fields') || isOfDisk(error)) lose(error)
    tell({ told: 'failed', job: job.job, reason: error instanceof Error ? error.message : String(error) })
  }
}

/** The disk has no room, or may not be written: nothing is wrong with the index. */
function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT', 'EROFS'].includes(String(error.code))
}

async function answerOf(query: SearchQuery): Promise<SearchResult | QueryProblem | undefined> {
  return asked((engine) => engine.answer(query))
}

async function fieldsOf(kinds: readonly string[] | undefined): Promise<FieldList | undefined> {
  // By the clock: whoever asks waits by it too.
  return asked((engine) => engine.fields(kinds, new WorkBudget(fieldsMs, () => performance.now())))
}

async function asked<T>(question: (engine: SearchEngine) => Generator<undefined, T>): Promise<T | undefined> {
  if (!current) return undefined
  const found = await run(current, question(current.engine))
  if (!found) throw new Error('the index was lost under the question')
  return found.value
}

function isOfDisk(error: unknown): boolean {
  return error instanceof IndexDamage || (error instanceof Error && 'syscall' in error)
}

port.on('message', (job: Job) => {
  if (job.do === 'search' || job.do === 'fields') {
    void answer(job, async () => {
      await loading
      return job.do === 'search' ? await answerOf(job.query) : await fieldsOf(job.kinds)
    })
    return
  }
  if (job.do === 'close') {
    void close()
    return
  }
  if (job.do === 'take') {
    taken.push(...job.entries, ...unpackRows(job.rows))
    giveBack.note(job.entries.length + job.rows.ends.length)
    return
  }
  const entries = taken
  taken = []
  changes = changes.then(() =>
    answer(job, async () => {
      if (job.do === 'apply') await apply(job.change, entries)
      else await reset(job.epoch)
      return undefined
    }),
  )
})

open()
