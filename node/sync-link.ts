/**
 * What the two halves of a sync session share: how to send, how the session ends, and what it has counted.
 */
import { NodeError } from './errors.ts'
import type { Message } from './sync-messages.ts'
import type { Channel, Misdeed } from './transport.ts'

/** How a session ended: the closed set of labels for results and metrics. */
export const SESSION_ENDS = [
  'done', // both sides have asked all they wanted
  'refused', // another version, network or merge semantics
  'unsupported', // the peer does not speak the protocol
  'busy', // the peer, or we, had no room for it
  'gone', // the peer went away or fell silent
  'misbehaved', // the peer broke the protocol
  'undelivered', // the peer did not give what its own ops need
  'items', // more than one session may move
  'stopped', // we are stopping
  'failed', // our own store failed
] as const
export type SessionEnd = (typeof SESSION_ENDS)[number]

export class Link {
  readonly peer: string
  readonly #channel: Channel
  readonly #controller = new AbortController()
  #end: SessionEnd | undefined
  #misdeed: Misdeed | undefined
  #why: string | undefined
  /** Ops taken in and new, ops of any verdict that came, ops sent. */
  opsIn = 0
  itemsIn = 0
  opsOut = 0

  constructor(channel: Channel) {
    this.peer = channel.peer
    this.#channel = channel
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }
  get end(): SessionEnd | undefined {
    return this.#end
  }
  get misdeed(): Misdeed | undefined {
    return this.#misdeed
  }
  /** For the log: what was wrong, in a few words of ours. */
  get why(): string | undefined {
    return this.#why
  }

  send(bytes: Uint8Array): Promise<void> {
    return this.#channel.send(bytes)
  }

  /** Ends the session; the first reason stays. Returns the error that callers throw to leave what they are at. */
  fail(end: SessionEnd, why: string, misdeed?: Misdeed): NodeError {
    if (this.#end === undefined) {
      this.#end = end
      this.#why = why
      this.#misdeed = misdeed
      this.#controller.abort()
    }
    return new NodeError(end === 'misbehaved' ? 'peer-misbehaved' : end === 'stopped' ? 'closed' : 'peer-gone', why)
  }

  /** What an error thrown inside the session means for it. */
  failWith(error: unknown): NodeError {
    const code = error instanceof NodeError ? error.code : undefined
    const why = error instanceof Error ? error.message : String(error)
    if (code === 'peer-gone') return this.fail('gone', why)
    if (code === 'peer-misbehaved') return this.fail('misbehaved', why, 'too-large')
    if (code === 'busy') return this.fail('busy', why)
    if (code === 'closed') return this.fail('stopped', why)
    return this.fail('failed', why)
  }

  /** Resolves as the promise does, or rejects when the session ends first. */
  async until<T>(promise: Promise<T>): Promise<T> {
    // Who is told that the session ended never looks at it again, and an unheard rejection ends the process.
    promise.catch(() => {})
    if (this.signal.aborted) throw this.fail('stopped', 'session ended')
    let stop = () => {}
    const ended = new Promise<never>((_, reject) => {
      stop = () => reject(this.fail('stopped', 'session ended'))
      this.signal.addEventListener('abort', stop, { once: true })
    })
    try {
      return await Promise.race([promise, ended])
    } finally {
      this.signal.removeEventListener('abort', stop)
    }
  }
}

export type Send = (message: Message) => Promise<void>
