/**
 * Does what a start needs. Where the disk refuses a read it is tried again and again, so that nobody has to start the
 * node anew: the waits grow, and each failure is logged.
 */
import { type Clock, sleep } from './environment.ts'
import { loadRetryMs, loadRetryMsMax } from './limits.ts'
import type { Log } from './replica-types.ts'

export type RetryOptions = { readonly clock: Clock; readonly log: Log; readonly signal: AbortSignal }

/** Resolves when it is done, or the signal fired. Never rejects. `what` follows "couldn't" in the log. */
export async function untilDone(
  what: string,
  work: () => Promise<void>,
  { clock, log, signal }: RetryOptions,
): Promise<void> {
  for (let waitMs = loadRetryMs; !signal.aborted; waitMs = Math.min(2 * waitMs, loadRetryMsMax)) {
    try {
      await work()
      return
    } catch (error) {
      log('error', `couldn't ${what}; it is tried again`, { error: String(error), wait_ms: waitMs })
    }
    await sleep(clock, waitMs, signal)
  }
}
