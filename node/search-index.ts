/**
 * The search index of a node: segments in memory and on disk, in a thread of its own, so that neither indexing nor a
 * dear query delays an acknowledgement.
 *
 * The index is derived. When its folder is missing, damaged, from older tables or refused by the disk, it is thrown
 * away and says so (`onLost`, epoch ''); whoever feeds it fills it again after `reset`. A thread that dies counts as a
 * loss. What came last is on disk a few seconds later: after a kill the index opens with an older seq.
 */
import { randomInt } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { kinds } from '../crdt/index.ts'
import { NodeError } from './errors.ts'
import { indexKeptRecords, indexSentRecords, searchesMax } from './limits.ts'
import type { Log } from './replica-types.ts'
import type {
  FieldList,
  IndexChange,
  IndexEntry,
  IndexRow,
  QueryProblem,
  SearchIndex,
  SearchQuery,
  SearchResult,
} from './search.ts'
import { sentOf } from './search-entry.ts'
import { isEntry, isRow, packRows } from './search-rows.ts'
import type { Job, JobAnswer, Start, Told } from './search-worker.ts'

type Options = {
  readonly log?: Log
  /** Records that the files may lack; `indexKeptRecords` unless told. */
  readonly keptRecords?: number
}

type Waiting = {
  readonly done: (answer: JobAnswer | undefined) => void
  readonly failed: (error: NodeError) => void
}
type Work<J> = J extends unknown ? Omit<J, 'job'> : never

export class SegmentIndex implements SearchIndex {
  readonly opened: Promise<void>
  readonly #path: string
  readonly #log: Log
  readonly #keptRecords: number
  readonly #waiting = new Map<number, Waiting>()
  readonly #lost = new Set<(reason: string) => void>()
  /** Changes are sent one after the other, each in pieces. */
  #sending: Promise<unknown> = Promise.resolve()
  #worker: Worker | undefined
  #jobs = 0
  #searches = 0
  #seq = 0
  #epoch = ''
  #closed = false

  /**
   * Opens the index at `path` or begins one. Resolves when `seq` is known; what is stored is read into memory
   * afterwards, and searches wait for that. Never fails: an index that cannot be opened is one that was lost.
   */
  static async open(path: string, options: Options = {}): Promise<SegmentIndex> {
    const index = SegmentIndex.begin(path, options)
    await index.opened
    return index
  }

  /** The same at once: `opened` says when. */
  static begin(path: string, options: Options = {}): SegmentIndex {
    return new SegmentIndex(path, options)
  }

  private constructor(path: string, { log = () => {}, keptRecords = indexKeptRecords }: Options) {
    this.#path = path
    this.#log = log
    this.#keptRecords = keptRecords
    this.opened = this.#start()
  }

  get seq(): number {
    return this.#seq
  }

  get epoch(): string {
    return this.#epoch
  }

  async apply({ entries, removed, seq }: IndexChange): Promise<void> {
    const sent = this.#sending.then(async () => {
      this.#send(entries.filter(isRow))
      const others = entries.filter(isEntry)
      // A thousand records at once would stop this thread's event loop for tens of milliseconds.
      for (let at = 0; at < others.length; at += indexSentRecords) {
        this.#send(sentOf(others.slice(at, at + indexSentRecords)))
        await nextTurn()
      }
      return { done: this.#ask({ do: 'apply', change: { seq, removed } }) }
    })
    this.#sending = sent.catch(() => {})
    await (await sent).done
  }

  async search(query: SearchQuery): Promise<SearchResult | QueryProblem> {
    return (await this.#read({ do: 'search', query })) as SearchResult | QueryProblem
  }

  async fields(kinds?: readonly string[]): Promise<FieldList> {
    return (await this.#read({ do: 'fields', kinds })) as FieldList
  }

  async reset(epoch: string): Promise<void> {
    if (epoch === '') throw new TypeError("expected the epoch of a log, got ''")
    if (!this.#worker && !this.#closed) await this.#start()
    await this.#sending
    await this.#ask({ do: 'reset', epoch })
  }

  onLost(call: (reason: string) => void): () => void {
    this.#lost.add(call)
    return () => this.#lost.delete(call)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const worker = this.#worker
    if (!worker) return
    const exited = new Promise((resolve) => worker.once('exit', resolve))
    worker.postMessage({ job: 0, do: 'close' } satisfies Job)
    await exited
  }

  async #read(work: Work<Job>): Promise<JobAnswer | undefined> {
    if (this.#searches >= searchesMax) throw new NodeError('busy', `${this.#searches} searches are under way already`)
    this.#searches++
    try {
      return await this.#ask(work)
    } finally {
      this.#searches--
    }
  }

  /** Resolves when the thread has opened the index or found that it cannot. */
  #start(): Promise<void> {
    return new Promise((resolve) => {
      const workerData: Start = { path: this.#path, kinds, seed: randomInt(2 ** 32), keptRecords: this.#keptRecords }
      const worker = new Worker(
        new URL(`./search-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
        {
          workerData,
          // Most of what a query makes dies with it: more room only lets it lie about, a hundred MB of it.
          resourceLimits: { maxYoungGenerationSizeMb: 16 },
        },
      )
      this.#worker = worker
      let opened = false
      worker.on('message', (told: Told) => {
        this.#hear(told)
        if (!opened && (told.told === 'open' || told.told === 'lost')) {
          opened = true
          resolve()
        }
      })
      worker.on('error', (error) => this.#log('error', 'the search thread failed', { error: String(error) }))
      worker.on('exit', () => {
        this.#worker = undefined
        this.#lose(this.#closed ? 'the index is closed' : 'the search thread ended')
        resolve()
      })
    })
  }

  #send(entries: readonly (IndexEntry | IndexRow)[]): void {
    if (entries.length === 0) return
    const rows = packRows(entries.filter(isRow))
    const job: Job = { job: 0, do: 'take', entries: entries.filter(isEntry), rows }
    this.#worker?.postMessage(job, [rows.bytes.buffer])
  }

  #ask(work: Work<Job>): Promise<JobAnswer | undefined> {
    const worker = this.#worker
    if (this.#closed) return Promise.reject(new NodeError('closed', 'the index is closed'))
    if (!worker) return Promise.reject(unavailable('the search thread ended'))
    const job = ++this.#jobs
    return new Promise((done, failed) => {
      this.#waiting.set(job, { done, failed })
      worker.postMessage({ ...work, job } as Job)
    })
  }

  #hear(told: Told): void {
    if (told.told === 'lost') {
      this.#lose(told.reason)
      return
    }
    if (told.told === 'open' || told.told === 'moved') {
      this.#seq = told.seq
      this.#epoch = told.epoch
      return
    }
    if (told.told === 'left-out') {
      this.#log('error', 'records that cannot be indexed', { records: told.records })
      return
    }
    const waiting = this.#waiting.get(told.job)
    this.#waiting.delete(told.job)
    if (told.told === 'done') waiting?.done(told.answer)
    else waiting?.failed(unavailable(told.reason))
  }

  #lose(reason: string): void {
    this.#seq = 0
    this.#epoch = ''
    if (this.#closed || !this.#worker) {
      for (const { failed } of this.#waiting.values()) {
        failed(this.#closed ? new NodeError('closed', 'the index is closed') : unavailable(reason))
      }
      this.#waiting.clear()
    }
    if (this.#closed) return
    this.#log('warn', 'the search index was lost and is built anew', { reason })
    for (const call of this.#lost) call(reason)
  }
}

function unavailable(reason: string): NodeError {
  return new NodeError('search-unavailable', `the search index is being rebuilt: ${reason}`)
}
