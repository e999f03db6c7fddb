/**
 * The thread that answers questions from the index. It shares the memory of what is there with the thread that builds
 * it (search-worker.ts), and has for itself what queries make; nothing is lost with it. Questions are answered in the
 * order in which they come; what takes long goes in pieces of `indexSliceMs`, so that a question waits for one piece at
 * most.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { Kind } from '../crdt/index.ts'
import { collect } from './give-back.ts'
import { droppedDocumentsMax, fieldsMs } from './limits.ts'
import type { FieldList, QueryProblem, SearchQuery, SearchResult } from './search.ts'
import type { Sent, Taken } from './search-audience.ts'
import { SearchEngine } from './search-engine.ts'
import { tablesOf } from './search-fields.ts'
import { IndexDamage } from './search-texts.ts'
import { paced, WorkBudget } from './search-work.ts'

export type AnswersStart = { readonly kinds: Readonly<Record<string, Kind>>; readonly seed: number }
export type Question =
  | { readonly do: 'search'; readonly query: SearchQuery }
  | { readonly do: 'fields'; readonly kinds?: readonly string[] | undefined }
  /** Who builds the index. */
  | { readonly do: 'listen'; readonly port: MessagePort }
export type Answer = SearchResult | QueryProblem | FieldList
export type Answered =
  | { readonly told: 'done'; readonly job: number; readonly answer: Answer }
  | { readonly told: 'failed'; readonly job: number; readonly reason: string }
  /** The index of this number is not what was written, or cannot be read. */
  | { readonly told: 'damaged'; readonly index: number; readonly reason: string; readonly job?: number }

const port = parentPort!
const { kinds, seed } = workerData as AnswersStart
const tables = tablesOf(kinds)

/** One index, from its first news to its loss. */
type Heard = { readonly engine: SearchEngine; readonly index: number }
let current: Heard | undefined
const first = Promise.withResolvers<void>()
/** News wait for each other; questions do not wait for them. */
let taking: Promise<void> = Promise.resolve()

function tell(message: Answered): void {
  port.postMessage(message)
}

async function take(sent: Sent): Promise<void> {
  if (sent.news === 'lost') {
    current = undefined
    return
  }
  const heard = sent.news === 'begun' ? { engine: new SearchEngine(tables, seed), index: sent.index } : current
  if (!heard) return
  try {
    await paced(heard.engine.take(sent.publication), () => sent.news === 'begun' || current === heard)
    if (sent.news === 'begun') current = heard
    // The collector does not count shared memory, and there is little else here that it would run for.
    if (heard.engine.dropped < droppedDocumentsMax) return
    heard.engine.dropped = 0
    collect('regular')
  } catch (error) {
    if (current === heard) current = undefined
    tell({ told: 'damaged', index: heard.index, reason: reasonOf(error) })
  }
}

function listen(news: MessagePort): void {
  news.on('message', (sent: Sent) => {
    // At once, whatever waits: nothing more is answered from it.
    if (sent.news !== 'published') current = undefined
    taking = taking.then(async () => {
      await take(sent)
      first.resolve()
      news.postMessage({ taken: sent.number } satisfies Taken)
    })
  })
}

async function answer(job: number, question: Exclude<Question, { do: 'listen' }>): Promise<void> {
  await first.promise
  const asked = current
  try {
    if (!asked) throw new Error('there is no index')
    const { engine } = asked
    const steps: Generator<undefined, Answer> =
      question.do === 'search'
        ? engine.answer(question.query)
        : // By the clock: whoever asks waits by it too.
          engine.fields(question.kinds, new WorkBudget(fieldsMs, () => performance.now()))
    const found = await paced(steps, () => current === asked)
    if (!found) throw new Error('the index was lost under the question')
    tell({ told: 'done', job, answer: found.value })
  } catch (error) {
    // A question that fails by itself says nothing about the index.
    const reason = reasonOf(error)
    if (asked && isOfDisk(error)) tell({ told: 'damaged', index: asked.index, reason, job })
    else tell({ told: 'failed', job, reason })
  }
}

function isOfDisk(error: unknown): boolean {
  return error instanceof IndexDamage || (error instanceof Error && 'syscall' in error)
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

port.on('message', (asked: Question & { readonly job: number }) => {
  if (asked.do === 'listen') listen(asked.port)
  else void answer(asked.job, asked)
})
