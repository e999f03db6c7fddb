/**
 * The search index of a node: segments in memory and on disk. One thread builds it and another answers from it, which is
 * started with the first question: neither indexing nor a dear query delays an acknowledgement, and no question waits for
 * what is being built.
 *
 * The index is derived. When its folder is missing, damaged, from older tables or refused by the disk, it is thrown
 * away and says so (`onLost`, epoch ''); whoever feeds it fills it again after `reset`. A thread that dies counts as a
 * loss; only that of the one that answers is none, for it has nothing of its own. What came last is on disk a few seconds
 * later: after a kill the index opens with an older seq.
 */
import { randomInt } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
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
import type { Answer, Answered, AnswersStart, Question } from './search-answers.ts'
import { sentOf } from './search-entry.ts'
import { isEntry, isRow, packRows } from './search-rows.ts'
import { SearchThread } from './search-thread.ts'
import type { Job, Start, Told } from './search-worker.ts'

type Options = {
  readonly log?: Log
  /** Records that the files may lack; `indexKeptRecords` unless told. */
  readonly keptRecords?: number
}

type Work<J> = J extends unknown ? Omit<J, 'job'> : never
type Builder = SearchThread<Work<Job>, void>
type Answerer = SearchThread<Question, Answer>

export class SegmentIndex implements SearchIndex {
  readonly opened: Promise<void>
  readonly #path: string
  readonly #log: Log
  readonly #keptRecords: number
  /** Of the hashes of values. */
  readonly #seed = randomInt(2 ** 32)
  readonly #lost = new Set<(reason: string) => void>()
  /** Changes are sent one after the other, each in pieces. */
  #sending: Promise<unknown> = Promise.resolve()
  #builder: Builder | undefined
  #answerer: Answerer | undefined
  /** Why there is nothing to be asked. */
  #lostBy: string | undefined
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
      return { done: this.#build({ do: 'apply', change: { seq, removed } }) }
    })
    this.#sending = sent.catch(() => {})
    await (await sent).done
  }

  async search(query: SearchQuery): Promise<SearchResult | QueryProblem> {
    return (await this.#ask({ do: 'search', query })) as SearchResult | QueryProblem
  }

  async fields(kinds?: readonly string[]): Promise<FieldList> {
    return (await this.#ask({ do: 'fields', kinds })) as FieldList
  }

  async reset(epoch: string): Promise<void> {
    if (epoch === '') throw new TypeError("expected the epoch of a log, got ''")
    if (!this.#builder && !this.#closed) await this.#start()
    await this.#sending
    await this.#build({ do: 'reset', epoch })
  }

  onLost(call: (reason: string) => void): () => void {
    this.#lost.add(call)
    return () => this.#lost.delete(call)
  }

  /** Ends the thread that answers, as a crash would; the next question starts one. For tests, and for a thread that hangs. */
  async killAnswers(error = unavailable('the answering thread ended')): Promise<void> {
    const answerer = this.#answerer
    this.#answerer = undefined
    answerer?.failAll(error)
    await answerer?.worker.terminate()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.killAnswers(closed())
    const builder = this.#builder
    if (!builder) return
    const exited = new Promise((resolve) => builder.worker.once('exit', resolve))
    builder.send({ do: 'close' })
    await exited
  }

  /** Resolves when the thread has opened the index or found that it cannot. */
  #start(): Promise<void> {
    return new Promise((resolve) => {
      const workerData: Start = { path: this.#path, kinds, seed: this.#seed, keptRecords: this.#keptRecords }
      // Most of what a batch makes dies with it: more room only lets it lie about, a hundred MB of it.
      const builder: Builder = new SearchThread('search-worker', {
        workerData,
        resourceLimits: { maxYoungGenerationSizeMb: 16 },
      })
      this.#builder = builder
      let opened = false
      builder.worker.on('message', (told: Told) => {
        this.#hear(builder, told)
        if (!opened && (told.told === 'open' || told.told === 'lost')) {
          opened = true
          resolve()
        }
      })
      builder.worker.on('error', (error) => this.#log('error', 'the search thread failed', { error: String(error) }))
      builder.worker.on('exit', () => {
        this.#builder = undefined
        const reason = 'the search thread ended'
        builder.failAll(this.#closed ? closed() : unavailable(reason))
        // It shares what is no longer to be asked.
        void this.killAnswers(unavailable(reason))
        this.#lose(reason)
        resolve()
      })
      // An answering thread that there is already knows only the builder before.
      if (this.#answerer) this.#introduce(builder, this.#answerer)
    })
  }

  /** The thread that answers, started when there is none. */
  #answers(builder: Builder): Answerer {
    if (this.#answerer) return this.#answerer
    const workerData: AnswersStart = { kinds, seed: this.#seed }
    const answerer: Answerer = new SearchThread('search-answers', {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    })
    this.#answerer = answerer
    answerer.worker.on('message', (told: Answered) => this.#hearAnswer(answerer, told))
    answerer.worker.on('error', (error) => this.#log('error', 'the answering thread failed', { error: String(error) }))
    answerer.worker.on('exit', () => {
      if (this.#answerer === answerer) this.#answerer = undefined
      answerer.failAll(unavailable('the answering thread ended'))
    })
    this.#introduce(builder, answerer)
    return answerer
  }

  #introduce(builder: Builder, answerer: Answerer): void {
    const { port1, port2 } = new MessageChannel()
    answerer.send({ do: 'listen', port: port1 }, [port1])
    builder.send({ do: 'tell', port: port2 }, [port2])
  }

  #send(entries: readonly (IndexEntry | IndexRow)[]): void {
    if (entries.length === 0) return
    const rows = packRows(entries.filter(isRow))
    this.#builder?.send({ do: 'take', entries: entries.filter(isEntry), rows }, [rows.bytes.buffer])
  }

  async #build(work: Work<Job>): Promise<void> {
    await this.#building().ask(work)
  }

  async #ask(question: Question): Promise<Answer> {
    const builder = this.#building()
    if (this.#lostBy !== undefined) throw unavailable(this.#lostBy)
    if (this.#searches >= searchesMax) throw new NodeError('busy', `${this.#searches} searches are under way already`)
    this.#searches++
    try {
      return await this.#answers(builder).ask(question)
    } finally {
      this.#searches--
    }
  }

  /** The thread that builds, if there is one. */
  #building(): Builder {
    if (this.#closed) throw closed()
    if (!this.#builder) throw unavailable('the search thread ended')
    return this.#builder
  }

  #hear(builder: Builder, told: Told): void {
    switch (told.told) {
      case 'lost':
        this.#lose(told.reason)
        return
      case 'open':
      case 'moved':
        this.#seq = told.seq
        this.#epoch = told.epoch
        this.#lostBy = undefined
        return
      case 'left-out':
        this.#log('error', 'records that cannot be indexed', { records: told.records })
        return
      case 'done':
        builder.answer(told.job)
        return
      case 'failed':
        builder.fail(told.job, unavailable(told.reason))
    }
  }

  #hearAnswer(answerer: Answerer, told: Answered): void {
    if (told.told === 'done') answerer.answer(told.job, told.answer)
    else if (told.told === 'failed') answerer.fail(told.job, unavailable(told.reason))
    else {
      const { index, reason, job } = told
      const failed = () => job !== undefined && answerer.fail(job, unavailable(reason))
      // Which fails all questions, unless it is of another index by now.
      this.#build({ do: 'lose', index, reason }).then(failed, failed)
    }
  }

  #lose(reason: string): void {
    this.#seq = 0
    this.#epoch = ''
    this.#lostBy = reason
    if (this.#closed) return
    this.#answerer?.failAll(unavailable(reason))
    this.#log('warn', 'the search index was lost and is built anew', { reason })
    for (const call of this.#lost) call(reason)
  }
}

function unavailable(reason: string): NodeError {
  return new NodeError('search-unavailable', `the search index is being rebuilt: ${reason}`)
}

function closed(): NodeError {
  return new NodeError('closed', 'the index is closed')
}
