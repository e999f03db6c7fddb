/**
 * The thread that builds the index (search-index.ts is its other side): it takes in changes, joins segments, reads and
 * writes files, all in pieces of `indexSliceMs` that take turns, and tells the thread that answers (search-answers.ts).
 * A change is told to be in when that one has taken it.
 *
 * An index that fails in any way is thrown away and the other side is told: it is derived, and an index that may be
 * wrong is worth less than none.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { Kind } from '../crdt/index.ts'
import { GiveBack } from './give-back.ts'
import { indexKeptMs } from './limits.ts'
import type { IndexChange, IndexEntry, IndexRow } from './search.ts'
import { Audience } from './search-audience.ts'
import { tablesOf } from './search-fields.ts'
import { deleteIndex, IndexFolder } from './search-files.ts'
import { IndexMaker, madeBy } from './search-maker.ts'
import type { TextSink } from './search-merge.ts'
import { isRow, type PackedRows, unpackRows } from './search-rows.ts'
import type { Segment } from './search-segment.ts'
import { paced } from './search-work.ts'

/** What the thread is started with. The tables come along, since they are all that it needs of crdt/. */
export type Start = {
  readonly path: string
  readonly kinds: Readonly<Record<string, Kind>>
  /** Of the hashes of values: by chance, so that nobody can prepare collisions. */
  readonly seed: number
  readonly keptRecords: number
}
export type Job =
  /** Who answers questions from now on. */
  | { readonly job: number; readonly do: 'tell'; readonly port: MessagePort }
  /** Some of the entries of the next `apply`. */
  | { readonly job: number; readonly do: 'take'; readonly entries: readonly IndexEntry[]; readonly rows: PackedRows }
  | { readonly job: number; readonly do: 'apply'; readonly change: Omit<IndexChange, 'entries'> }
  | { readonly job: number; readonly do: 'reset'; readonly epoch: string }
  /** Whoever asked the index of this number found it damaged. */
  | { readonly job: number; readonly do: 'lose'; readonly index: number; readonly reason: string }
  | { readonly job: number; readonly do: 'close' }
export type Told =
  | { readonly told: 'open'; readonly seq: number; readonly epoch: string }
  | { readonly told: 'moved'; readonly seq: number; readonly epoch: string }
  | { readonly told: 'lost'; readonly reason: string }
  | { readonly told: 'done'; readonly job: number }
  /** Records that cannot be found because they could not be read: a mistake of ours. */
  | { readonly told: 'left-out'; readonly records: readonly { readonly id: string; readonly why: string }[] }
  /** The index was lost before or under the job. */
  | { readonly told: 'failed'; readonly job: number; readonly reason: string }

/** One state of the index, from open or reset to loss or close. */
type Open = {
  readonly number: number
  readonly maker: IndexMaker
  readonly folder: IndexFolder
  readonly epoch: string
  /** What is on disk is behind by so much, records and changes together; 0 = it is all there. */
  unkept: number
  /** What is on disk is in memory. */
  isLoaded: boolean
}

/** Between looks at how much there is to keep. */
const indexLookMs = 50

const port = parentPort!
const { path, kinds, seed, keptRecords } = workerData as Start
const tables = tablesOf(kinds)
const made = madeBy(tables)

const audience = new Audience()

let opened = 0
let current: Open | undefined
let loading: Promise<void> = Promise.resolve()
/** Jobs that change the index wait for each other. */
let changes: Promise<void> = Promise.resolve()
/** Until all changes that are in have been told to be. */
let telling: Promise<void> = Promise.resolve()
/** Until nothing of what was forgotten is looked at or open any more. */
let forgetting: Promise<void> = Promise.resolve()
let upkeep: Promise<void> | undefined
let keeping: Promise<void> | undefined
let taken: (IndexEntry | IndexRow)[] = []
const giveBack = new GiveBack((ms, call) => {
  const timer = setTimeout(call, ms).unref()
  return () => clearTimeout(timer)
})
let isClosing = false

function tell(message: Told): void {
  port.postMessage(message)
}

function lose(error: unknown): void {
  forget()
  void forgetting.then(() => {
    try {
      deleteIndex(path)
    } catch {
      // The next reset tries again and says what is wrong.
    }
  })
  tell({ told: 'lost', reason: reasonOf(error) })
}

function forget(): void {
  const { segments } = current?.maker ?? { segments: [] }
  current = undefined
  audience.tell({ news: 'lost' })
  forgetting = Promise.all([forgetting, closeWhenLeft(segments)]).then(() => {})
}

/** A search may be reading their texts, until it is known that nobody asks them any more. */
async function closeWhenLeft(segments: readonly Segment[]): Promise<void> {
  await audience.taken()
  for (const { texts } of segments) texts.close()
}

function begin(folder: IndexFolder, epoch: string): Open {
  const begun: Open = {
    number: ++opened,
    maker: new IndexMaker(tables, seed, (publication, left) => {
      if (current !== begun) return
      if (begun.isLoaded) audience.tell({ news: 'published', publication })
      void closeWhenLeft(left)
    }),
    folder,
    epoch,
    unkept: 0,
    isLoaded: true,
  }
  return begun
}

/** Tells whoever has heard nothing of this index. */
function introduce({ number, maker }: Open): void {
  audience.tell({ news: 'begun', index: number, publication: maker.whole() })
}

/** Runs steps, a slice a turn, as long as this index is the one in use. Undefined when it was not to the end. */
function run<T>(of: Open, steps: Generator<undefined, T>): Promise<{ value: T } | undefined> {
  return paced(steps, () => current === of)
}

function open(): void {
  try {
    const folder = new IndexFolder(path, made)
    const manifest = folder.manifest()
    const begun = begin(folder, manifest?.epoch ?? '')
    const { maker } = begun
    current = begun
    maker.seq = manifest?.seq ?? 0
    tell({ told: 'open', seq: maker.seq, epoch: begun.epoch })
    folder.clean(new Set(manifest?.segments.map(({ file }) => file)))
    if (!manifest) return
    begun.isLoaded = false
    loading = (async () => {
      try {
        const segments = await run(begun, folder.load(manifest, maker.values))
        if (!segments || !(await run(begun, maker.take(segments.value)))) return
        begun.isLoaded = true
        introduce(begun)
        startUpkeep(begun)
      } catch (error) {
        if (current === begun) lose(error)
      }
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

/** Undefined when the index was lost under it. */
async function apply(
  change: Omit<IndexChange, 'entries'>,
  sent: readonly (IndexEntry | IndexRow)[],
): Promise<Open | undefined> {
  await loading
  const to = current
  const read = sent.some(isRow) ? await reader() : undefined
  if (!to || current !== to) return undefined
  const changed = { ...change, entries: received(sent, read), count: sent.length }
  if (!(await run(to, to.maker.apply(changed)))) return undefined
  to.unkept += 1 + sent.length + change.removed.length
  const { leftOut } = to.maker
  if (leftOut.length > 0) tell({ told: 'left-out', records: leftOut.splice(0) })
  startUpkeep(to)
  startKeeping(to)
  return to
}

async function reset(epoch: string): Promise<Open> {
  await loading
  forget()
  await Promise.all([upkeep, keeping, forgetting])
  deleteIndex(path)
  // On disk with the first change: a kill before it leaves no index, which is as good as an empty one.
  const begun = begin(new IndexFolder(path, made), epoch)
  current = begun
  introduce(begun)
  return begun
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
        const did = await run(of, of.maker.upkeep(sinkFor))
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
  const { maker, folder } = of
  for (;;) {
    const { segments } = maker
    const unfiled = segments.filter(({ file }) => file === undefined)
    if (!(await run(of, folder.file(unfiled, maker.values.values)))) return
    maker.relocated(unfiled)
    if (maker.segments !== segments) {
      // Joined or joined by others meanwhile: what is filed now is not all, and some of it is no more.
      for (const segment of unfiled) if (!maker.segments.includes(segment)) segment.texts.close()
      continue
    }
    const { unkept } = of
    const kept = new Set(segments.flatMap(({ file }) => file ?? []))
    await folder.keep(segments, maker.seq, of.epoch)
    of.unkept -= unkept
    for (const { file } of maker.segments) if (file !== undefined) kept.add(file)
    // A segment that is being made has a file that nobody names yet.
    if (current === of && upkeep === undefined) folder.clean(kept)
    return
  }
}

/** Loading stops at its next slice; a change that is being taken in is finished, and all that is held goes to disk. */
async function close(): Promise<void> {
  isClosing = true
  audience.close()
  if (current?.isLoaded === false) forget()
  await Promise.all([loading, changes])
  await Promise.all([upkeep, keeping, telling])
  const last = current
  try {
    if (last && last.unkept > 0) await keep(last)
  } catch {
    // What is on disk is older then, and whole.
  }
  forget()
  await forgetting
  port.close()
}

/** Does what changes the index, and says so when whoever answers has taken it. */
async function change({ job }: Job, work: () => Promise<Open | undefined>): Promise<void> {
  try {
    const to = await work()
    const { seq } = to?.maker ?? { seq: 0 }
    telling = audience.taken().then(() => {
      if (!to || current !== to) {
        tell({ told: 'failed', job, reason: 'there is no index' })
        return
      }
      tell({ told: 'moved', seq, epoch: to.epoch })
      tell({ told: 'done', job })
    })
  } catch (error) {
    lose(error)
    tell({ told: 'failed', job, reason: reasonOf(error) })
  }
}

/** The disk has no room, or may not be written: nothing is wrong with the index. */
function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT', 'EROFS'].includes(String(error.code))
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

port.on('message', (job: Job) => {
  switch (job.do) {
    case 'tell':
      audience.attach(job.port)
      if (current?.isLoaded) introduce(current)
      else if (!current) audience.tell({ news: 'lost' })
      return
    case 'lose':
      if (current?.number === job.index) lose(new Error(job.reason))
      tell({ told: 'done', job: job.job })
      return
    case 'close':
      void close()
      return
    case 'take':
      taken.push(...job.entries, ...unpackRows(job.rows))
      giveBack.note(job.entries.length + job.rows.ends.length)
      return
  }
  const entries = taken
  taken = []
  changes = changes.then(() => change(job, () => (job.do === 'apply' ? apply(job.change, entries) : reset(job.epoch))))
})

open()
