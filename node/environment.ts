/**
 * What the core may not reach for by itself: time and chance. The program passes the machine's, a simulation its own,
 * and then one seed decides everything.
 */
export interface Clock {
  /** ms since 1970. May jump. */
  now(): number
  /** ms since some start; never goes back. */
  monotonic(): number
  /** Calls once, later. The timer does not keep the process alive. Returns how to cancel it. */
  after(ms: number, call: () => void): () => void
}

export interface Random {
  bytes(length: number): Uint8Array
  /** 0 <= x < 1, for choosing and jitter; never for keys. */
  float(): number
}

export type Environment = { readonly clock: Clock; readonly random: Random }

/** Resolves after `ms` by the clock, or at once when the signal fires. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(ms, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}
