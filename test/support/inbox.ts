/**
 * One end of a channel in memory, as its reader has it: what has arrived, in order, how much is still on its way, and how
 * it ends. When and whether anything arrives is for the network to say.
 */
import type { Clock } from '../../node/environment.ts'
import { NodeError } from '../../node/errors.ts'
import { syncMessageBytesMax } from '../../node/limits.ts'

/** Messages that may be on their way or unread before their sender waits. */
const WAITING_MAX = 8

export type ReceiveOptions = {
  readonly clock: Clock
  readonly timeoutMs: number | undefined
  /** Nothing has come for so long. */
  readonly silent: () => void
  /** Waits for ever once the reader's process is gone. */
  readonly gone?: () => Promise<never> | undefined
}

export class Inbox {
  /** That have arrived, as they are on the wire. */
  bytes = 0
  readonly #messages: Uint8Array[] = []
  #waiting = 0
  #isEnded = false
  #error: NodeError | undefined
  #isRead = false
  #wakeReader: (() => void) | undefined
  readonly #wakeSenders: (() => void)[] = []

  get error(): NodeError | undefined {
    return this.#error
  }

  /** The other side has closed. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  /** A reader waits for the next message. */
  get isRead(): boolean {
    return this.#isRead
  }

  /** The sender of one more has to wait. */
  get isFull(): boolean {
    return this.#waiting > WAITING_MAX
  }

  /** One more is on its way. */
  announce(): void {
    this.#waiting++
  }

  /** When a message was read, or the channel failed. */
  room(): Promise<void> {
    return new Promise((resolve) => this.#wakeSenders.push(resolve))
  }

  arrive(message: Uint8Array): void {
    if (this.#error) return
    this.bytes += 4 + message.length
    if (message.length > syncMessageBytesMax) {
      this.#error = new NodeError('peer-misbehaved', `a message of ${message.length} bytes`)
    } else {
      this.#messages.push(message)
    }
    this.#wakeReader?.()
  }

  end(): void {
    this.#isEnded = true
    this.#wakeReader?.()
  }

  fail(why: string): void {
    this.#error ??= new NodeError('peer-gone', why)
    this.#wakeReader?.()
    this.wakeSenders()
  }

  wakeSenders(): void {
    for (const wake of this.#wakeSenders.splice(0)) wake()
  }

  /** The next message; undefined at the end. */
  async receive({ clock, timeoutMs, silent, gone }: ReceiveOptions): Promise<Uint8Array | undefined> {
    const cancel = timeoutMs === undefined ? () => {} : clock.after(timeoutMs, silent)
    try {
      this.#isRead = true
      while (this.#messages.length === 0) {
        const forEver = gone?.()
        if (forEver !== undefined) return await forEver
        if (this.#error) throw this.#error
        if (this.#isEnded) return undefined
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve
        })
      }
    } finally {
      this.#isRead = false
      cancel()
    }
    this.#waiting--
    this.wakeSenders()
    return this.#messages.shift()
  }
}
