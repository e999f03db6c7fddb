/**
 * What the operator's lists and quotas refuse, told in the log now and then with its number: one line a refusal would let
 * whoever is refused fill the disk.
 */
import type { Clock } from './environment.ts'
import { policyLogMs } from './limits.ts'
import type { Admitted, Log, Source } from './replica-types.ts'

export class PolicyLog {
  readonly #log: Log
  readonly #clock: Clock
  #counts = { blocked: 0, quota: 0 }
  #notBefore = Number.NEGATIVE_INFINITY

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** After Replica.admit. */
  admitted({ results }: Admitted, { via, peer }: Source): void {
    for (const { verdict, reason } of results) {
      if (verdict === 'refused' && (reason === 'blocked' || reason === 'quota')) this.#counts[reason]++
    }
    const { blocked, quota } = this.#counts
    const now = this.#clock.monotonic()
    if (blocked + quota === 0 || now < this.#notBefore) return
    this.#notBefore = now + policyLogMs
    this.#counts = { blocked: 0, quota: 0 }
    this.#log('info', 'ops refused by policy', { blocked, quota, last_via: via, ...(peer !== undefined && { peer }) })
  }
}
