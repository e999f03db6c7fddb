/**
 * One of the threads of the search index, seen from the outside: jobs go to it, and each is answered or fails. What it
 * says besides is for the owner.
 */
import { type Transferable, Worker, type WorkerOptions } from 'node:worker_threads'
import type { NodeError } from './errors.ts'

type Waiting<Answer> = { readonly done: (answer: Answer) => void; readonly failed: (error: NodeError) => void }

export class SearchThread<Work, Answer> {
  readonly worker: Worker
  readonly #waiting = new Map<number, Waiting<Answer>>()
  #jobs = 0

  /** `name`: of its file in this folder. */
  constructor(name: string, options: WorkerOptions) {
    const file = `./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`
    this.worker = new Worker(new URL(file, import.meta.url), { ...options, name })
  }

  /** Without an answer. */
  send(work: Work, transfer: readonly Transferable[] = []): void {
    this.worker.postMessage({ ...work, job: 0 }, transfer)
  }

  ask(work: Work): Promise<Answer> {
    const job = ++this.#jobs
    return new Promise((done, failed) => {
      this.#waiting.set(job, { done, failed })
      this.worker.postMessage({ ...work, job })
    })
  }

  /** Whoever waits for the job has the answer. One that has failed before stays so. */
  answer(job: number, answer: Answer): void {
    this.#waiting.get(job)?.done(answer)
    this.#waiting.delete(job)
  }

  fail(job: number, error: NodeError): void {
    this.#waiting.get(job)?.failed(error)
    this.#waiting.delete(job)
  }

  failAll(error: NodeError): void {
    for (const { failed } of this.#waiting.values()) failed(error)
    this.#waiting.clear()
  }
}
