/**
 * What the operator's lists and quotas and the bound on merging refuse, told in the log now and then with its number: one line a refusal would let
 * whoever is refused fill the disk.
 */
import type { Clock } from './environment.ts'
import { policyLogMs } from './limits.ts'
import type { Admitted, Log, Source } from './replica-types.ts'

export class PolicyLog {
  readonly #log: Log
  readonly #clock: Clock
  #counts = NONE
  #notBefore = Number.NEGATIVE_INFINITY

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** After Replica.admit. */
  admitted({ results }: Admitted, { via, peer }: Source): void {
    for (const { verdict, reason } of results) {
      if (verdict === 'refused' && isPolicy(reason))
        this.#counts = { ...this.#counts, [reason]: this.#counts[reason] + 1 }
    }
    const counts = this.#counts
    const now = this.#clock.monotonic()
    if (counts === NONE || now < this.#notBefore) return
    this.#notBefore = now + policyLogMs
    this.#counts = NONE
    this.#log('info', 'ops refused by policy', { ...counts, last_via: via, ...(peer !== undefined && { peer }) })
  }
}

const NONE: Readonly<Record<'blocked' | 'quota' | 'crowded', number>> = { blocked: 0, quota: 0, crowded: 0 }

function isPolicy(reason: string | undefined): reason is keyof typeof NONE {
  return reason !== undefined && Object.hasOwn(NONE, reason)
}
