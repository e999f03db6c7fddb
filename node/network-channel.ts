/**
 * A libp2p stream as a Channel: whole messages, each behind its length (u32be).
 *
 * What a peer can make us hold is bounded: a length over the maximum ends the channel before anything is kept, and
 * when messages wait to be received the stream is paused, so that the peer's own window fills. A stream on which
 * nothing moves, or less than syncBytesPerSecondMin, is given up.
 */
import type { Stream } from '@libp2p/interface'
import { concat } from '../crdt/index.ts'
import type { Clock } from './environment.ts'
import { NodeError } from './errors.ts'
import {
  channelCloseMs,
  channelQueueBytes,
  syncBytesPerSecondMin,
  syncIdleTimeoutMs,
  syncMessageBytesMax,
} from './limits.ts'
import type { Channel } from './transport.ts'

/** Bytes that may wait for the peer's window before a sender waits too. */
const SEND_AHEAD_BYTES = 64 * 1024
const EVENTS = ['drain', 'idle', 'close'] as const

type Waiter = { readonly resolve: (message: Uint8Array | undefined) => void; readonly reject: (error: Error) => void }

export class StreamChannel implements Channel {
  readonly peer: string
  readonly #stream: Stream
  readonly #clock: Clock
  readonly #queue: Uint8Array[] = []
  #queued = 0
  /** Of the message under way: its prefix, then its bytes as they came. A length alone takes no memory. */
  readonly #head = new Uint8Array(4)
  #headFilled = 0
  #length = 0
  #parts: Uint8Array[] = []
  #filled = 0
  #since = 0
  #paused = false
  #ended = false
  #error: NodeError | undefined
  #waiter: Waiter | undefined
  #lastIn: number
  bytesIn = 0
  bytesOut = 0

  constructor(stream: Stream, peer: string, clock: Clock) {
    this.peer = peer
    this.#stream = stream
    this.#clock = clock
    this.#lastIn = clock.monotonic()
    stream.addEventListener('message', (event) => {
      const { data } = event as { data: Uint8Array | { subarray(): Uint8Array } }
      this.#take(data instanceof Uint8Array ? data : data.subarray())
    })
    stream.addEventListener('remoteCloseWrite', () => this.#end())
    stream.addEventListener('close', (event) => {
      const { error } = event as { error?: Error }
      if (error) this.#fail(new NodeError('peer-gone', `stream broke: ${error.message}`, { cause: error }))
      else this.#end()
    })
  }

  async send(message: Uint8Array): Promise<void> {
    if (message.length > syncMessageBytesMax) {
      throw new RangeError(`expected at most ${syncMessageBytesMax} bytes in a message, got ${message.length}`)
    }
    if (this.#error) throw this.#error
    const bytes = new Uint8Array(4 + message.length)
    new DataView(bytes.buffer).setUint32(0, message.length)
    bytes.set(message, 4)
    this.bytesOut += bytes.length
    try {
      if (this.#stream.send(bytes)) return
    } catch (error) {
      throw this.#fail(new NodeError('peer-gone', `couldn't send: ${(error as Error).message}`, { cause: error }))
    }
    // The peer's window is full. It may be slow, but something must move.
    while (this.#stream.writeBufferLength > SEND_AHEAD_BYTES && !this.#error) {
      if (await this.#moved()) continue
      throw this.#fail(new NodeError('peer-gone', 'the peer takes nothing'))
    }
    if (this.#error) throw this.#error
  }

  /**
   * Resolves true when the stream could write on or has ended, false when nothing happened for syncIdleTimeoutMs.
   * (The stream's own onDrain() resolves at once for ever when it has resolved before.)
   */
  #moved(): Promise<boolean> {
    return new Promise((resolve) => {
      const stop = () => {
        cancel()
        for (const event of EVENTS) this.#stream.removeEventListener(event, done)
      }
      const done = () => {
        stop()
        // The stream writes on behind its own listener for the same event.
        setImmediate(resolve, true)
      }
      const cancel = this.#clock.after(syncIdleTimeoutMs, () => {
        stop()
        resolve(false)
      })
      for (const event of EVENTS) this.#stream.addEventListener(event, done)
    })
  }

  async receive(options: { timeoutMs?: number } = {}): Promise<Uint8Array | undefined> {
    const message = this.#queue.shift()
    if (message) {
      this.#queued -= message.length
      this.#resume()
      return message
    }
    if (this.#error) throw this.#error
    if (this.#ended) return undefined
    if (this.#waiter) throw new TypeError('expected one receive at a time')
    const waiting = new Promise<Uint8Array | undefined>((resolve, reject) => {
      this.#waiter = { resolve, reject }
    })
    const stop = options.timeoutMs === undefined ? undefined : this.#watch(options.timeoutMs)
    try {
      return await waiting
    } finally {
      this.#waiter = undefined
      stop?.()
    }
  }

  async close(): Promise<void> {
    if (this.#error) return
    // A peer that never closes its side would keep the slot.
    this.#clock.after(channelCloseMs, () => {
      if (this.#stream.status === 'open' || this.#stream.status === 'closing') this.abort()
    })
    try {
      await this.#stream.close({ signal: AbortSignal.timeout(channelCloseMs) })
    } catch (error) {
      this.#fail(new NodeError('peer-gone', "couldn't close", { cause: error }))
    }
  }

  abort(): void {
    this.#queue.length = 0
    this.#fail(new NodeError('peer-gone', 'the channel was closed'))
  }

  /** Ends the channel when nothing came for so long, or a message comes too slowly. */
  #watch(timeoutMs: number): () => void {
    const started = this.#clock.monotonic()
    let cancel = () => {}
    const look = () => {
      const now = this.#clock.monotonic()
      const idle = now - Math.max(started, this.#lastIn)
      const under = this.#length > 0
      const slow = under && now - this.#since > timeoutMs + (1_000 * this.#length) / syncBytesPerSecondMin
      const stuck = !under && now - started >= timeoutMs
      if (idle >= timeoutMs || slow || stuck) return void this.#fail(new NodeError('peer-gone', 'the peer is silent'))
      cancel = this.#clock.after(Math.max(50, timeoutMs - idle), look)
    }
    cancel = this.#clock.after(timeoutMs, look)
    return () => cancel()
  }

  /** Bytes from the peer, cut anywhere. */
  #take(bytes: Uint8Array): void {
    if (this.#error) return
    this.bytesIn += bytes.length
    this.#lastIn = this.#clock.monotonic()
    let at = 0
    while (at < bytes.length) {
      if (this.#length === 0) {
        const n = Math.min(4 - this.#headFilled, bytes.length - at)
        this.#head.set(bytes.subarray(at, at + n), this.#headFilled)
        this.#headFilled += n
        at += n
        if (this.#headFilled < 4) return
        const length = new DataView(this.#head.buffer).getUint32(0)
        this.#headFilled = 0
        if (length === 0 || length > syncMessageBytesMax) {
          this.#queue.length = 0
          this.#fail(new NodeError('peer-misbehaved', `a message of ${length} bytes`))
          return
        }
        this.#length = length
        this.#since = this.#lastIn
      }
      const part = bytes.subarray(at, at + this.#length - this.#filled)
      this.#parts.push(part)
      this.#filled += part.length
      at += part.length
      if (this.#filled === this.#length) {
        const message = concat(...this.#parts)
        this.#parts = []
        this.#filled = 0
        this.#length = 0
        this.#push(message)
      }
    }
  }

  #push(message: Uint8Array): void {
    if (this.#waiter && this.#queue.length === 0) {
      const { resolve } = this.#waiter
      this.#waiter = undefined
      resolve(message)
      return
    }
    this.#queue.push(message)
    this.#queued += message.length + 64
    if (this.#queued <= channelQueueBytes || this.#paused) return
    this.#paused = true
    try {
      this.#stream.pause()
    } catch {
      // The stream is closing: nothing more comes.
    }
  }

  #resume(): void {
    this.#queued -= 64
    if (!this.#paused || this.#queued > channelQueueBytes / 2) return
    this.#paused = false
    try {
      this.#stream.resume()
    } catch {
      // Closed while it was paused; what had come is in the queue.
    }
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#waiter?.resolve(undefined)
  }

  #fail(error: NodeError): NodeError {
    if (this.#error) return this.#error
    this.#error = error
    this.#parts = []
    this.#waiter?.reject(error)
    if (this.#stream.status === 'open' || this.#stream.status === 'closing') this.#stream.abort(error)
    return error
  }
}
