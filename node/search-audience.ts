/**
 * The building thread's word to the answering one, when there is one: news in order, of which each is answered when it
 * was taken. Until then what it takes away may still be looked at.
 */
import type { MessagePort } from 'node:worker_threads'
import type { Publication } from './search-publication.ts'

export type News =
  /** An index of this number, with all that it has. */
  | { readonly news: 'begun'; readonly index: number; readonly publication: Publication }
  | { readonly news: 'published'; readonly publication: Publication }
  | { readonly news: 'lost' }
/** `number` counts what was sent to this audience. */
export type Sent = News & { readonly number: number }
export type Taken = { readonly taken: number }

export class Audience {
  #port: MessagePort | undefined
  #sent = 0
  #taken = 0
  #waiting: { readonly number: number; readonly taken: () => void }[] = []

  /** From now on it is this one, which knows nothing yet. */
  attach(port: MessagePort): void {
    this.close()
    this.#port = port
    this.#sent = 0
    this.#taken = 0
    port.on('message', ({ taken }: Taken) => {
      if (this.#port !== port) return
      this.#taken = taken
      this.#settle()
    })
    port.on('close', () => {
      if (this.#port === port) this.close()
    })
  }

  /** Nobody listens any more: what was told is as good as taken. */
  close(): void {
    this.#port?.close()
    this.#port = undefined
    this.#settle()
  }

  tell(news: News): void {
    if (!this.#port) return
    const sent: Sent = { ...news, number: ++this.#sent }
    // Millions of numbers, which nobody here looks at any more.
    const moved = news.news === 'published' ? news.publication.joined.map((each) => each.moved.buffer) : []
    this.#port.postMessage(sent, moved as ArrayBuffer[])
  }

  /** Resolves when all that was told so far has been taken, in the order of the calls. */
  taken(): Promise<void> {
    if (!this.#port || this.#taken === this.#sent) return Promise.resolve()
    return new Promise((taken) => this.#waiting.push({ number: this.#sent, taken }))
  }

  #settle(): void {
    const most = this.#port ? this.#taken : Number.POSITIVE_INFINITY
    while (this.#waiting[0] && this.#waiting[0].number <= most) this.#waiting.shift()?.taken()
  }
}
