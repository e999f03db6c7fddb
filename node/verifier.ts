/**
 * Signatures checked off the main thread, in groups.
 *
 * A group is split among the threads, and tiny ones are checked at once: a message to a thread costs as much as they
 * do. The answers do not depend on any of this. A thread that dies is replaced, and what it had under way is checked
 * here, so no caller waits for ever. Threads start when they are needed, and end when nothing has come for a while.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { prefilter } from '../crdt/index.ts'
import { NodeError } from './errors.ts'
import { verifyGroupMax, verifyInlineMax, verifyQueueMax, verifyRestMs, verifyThreadsMax } from './limits.ts'
import { nativeSuite } from './native.ts'
import type { Signature, SignatureChecker } from './replica-types.ts'
import { packGroup } from './verify-group.ts'

type Job = { readonly items: readonly Signature[]; readonly done: (verdicts: readonly boolean[]) => void }
type Thread = { readonly worker: Worker; readonly jobs: Map<number, Job>; waiting: number }

export class Verifier implements SignatureChecker, AsyncDisposable {
  readonly #threadsMax: number
  readonly #restMs: number
  readonly #threads: Thread[] = []
  #waiting = 0
  #jobs = 0
  #deaths = 0
  #closed = false
  #rest: NodeJS.Timeout | undefined

  /** `threads` = 0 checks everything on this thread. After `restMs` without work, `verifyRestMs` unless told, they end. */
  constructor(options: { readonly threads?: number; readonly restMs?: number } = {}) {
    this.#restMs = options.restMs ?? verifyRestMs
    this.#threadsMax = options.threads ?? Math.min(verifyThreadsMax, Math.max(1, availableParallelism()))
  }

  /** Signatures that wait for a thread. */
  get waiting(): number {
    return this.#waiting
  }

  /** Threads that run. */
  get threads(): number {
    return this.#threads.length
  }

  /** Verdicts in order. NodeError('busy') when too many wait already: nothing of the group was checked then. */
  async verify(items: readonly Signature[]): Promise<readonly boolean[]> {
    if (this.#closed) throw new NodeError('closed', 'the verifier is closed')
    if (items.length <= verifyInlineMax || this.#threadsMax === 0) return here(items)
    if (this.#waiting + items.length > verifyQueueMax) {
      throw new NodeError('busy', `${this.#waiting} signatures wait to be checked already`)
    }
    const verdicts = items.map(() => false)
    const wellFormed = items.flatMap((item, at) => (prefilter(item.key, item.signature) ? [{ ...item, at }] : []))
    const size = Math.min(verifyGroupMax, Math.ceil(wellFormed.length / this.#threadsMax))
    const groups: Promise<void>[] = []
    for (let from = 0; from < wellFormed.length; from += size) {
      const group = wellFormed.slice(from, from + size)
      groups.push(
        this.#give(group).then((answers) =>
          group.forEach(({ at }, i) => {
            verdicts[at] = answers[i]!
          }),
        ),
      )
    }
    await Promise.all(groups)
    return verdicts
  }

  /** Ends the threads as a crash would; the next group starts new ones. For tests, and for a thread that hangs. */
  async killThreads(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearTimeout(this.#rest)
    await this.#endThreads()
  }

  /** Each holds its program and a heap, 12 MB in all. */
  #restSoon(): void {
    clearTimeout(this.#rest)
    this.#rest = setTimeout(() => {
      if (this.#waiting === 0) void this.#endThreads()
    }, this.#restMs)
    this.#rest.unref()
  }

  async #endThreads(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map(({ worker }) => worker.terminate()))
  }

  #give(items: readonly Signature[]): Promise<readonly boolean[]> {
    const thread = this.#leastBusy()
    if (thread === undefined) return Promise.resolve(here(items))
    return new Promise((resolve) => {
      const id = this.#jobs++
      this.#waiting += items.length
      thread.waiting += items.length
      thread.worker.ref()
      const done = (verdicts: readonly boolean[]) => {
        thread.jobs.delete(id)
        this.#waiting -= items.length
        thread.waiting -= items.length
        // Only work under way keeps the process alive, not the threads themselves.
        if (thread.jobs.size === 0) thread.worker.unref()
        if (this.#waiting === 0) this.#restSoon()
        resolve(verdicts)
      }
      thread.jobs.set(id, { items, done })
      const group = packGroup(items)
      thread.worker.postMessage({ id, group }, [group.buffer])
    })
  }

  #leastBusy(): Thread | undefined {
    const idle = this.#threads.find(({ waiting }) => waiting === 0)
    if (idle !== undefined) return idle
    if (this.#threads.length < this.#threadsMax && this.#deaths < deathsMax) return this.#start()
    return this.#threads.toSorted((a, b) => a.waiting - b.waiting)[0]
  }

  #start(): Thread {
    // The file beside this one, whether the program runs from its sources or compiled.
    const file = new URL(`./verify-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)
    const thread: Thread = { worker: new Worker(file, { execArgv: [] }), jobs: new Map(), waiting: 0 }
    thread.worker.on('message', ({ id, verdicts }: { id: number; verdicts: Uint8Array }) =>
      thread.jobs.get(id)?.done(Array.from(verdicts, (verdict) => verdict === 1)),
    )
    // An error ends the thread, so 'exit' follows and does what is to be done.
    thread.worker.on('error', () => {})
    thread.worker.on('exit', () => {
      const at = this.#threads.indexOf(thread)
      // Ended by us, it is not in the list any more.
      if (at >= 0) this.#deaths++
      if (at >= 0) this.#threads.splice(at, 1)
      for (const { items, done } of [...thread.jobs.values()]) done(here(items))
    })
    this.#threads.push(thread)
    return thread
  }
}

/** Threads that may die before everything is checked here: on a machine that kills them, replacing them never ends. */
const deathsMax = 10

function here(items: readonly Signature[]): boolean[] {
  return items.map(({ key, message, signature }) => nativeSuite.verify(key, message, signature))
}
