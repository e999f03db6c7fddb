/**
 * How much each client may ask: a bucket per token and per subnet that fills steadily. A request is let in while
 * anything is left, and what it turns out to cost may take the bucket below nothing, so that a batch larger than the
 * quota is not refused for ever; what follows then waits for all of it.
 */
import { httpBucketsMax, Lru } from '../node/index.ts'

export type Quota = {
  /** Named in the RateLimit headers. */
  readonly name: string
  /** Per minute, and at once after a minute of silence. */
  readonly perMinute: number
}

type Bucket = { level: number; at: number }

export class Limiter {
  readonly #now: () => number
  readonly #buckets = new Lru<string, Bucket>(httpBucketsMax)

  /** `now` in ms, never going back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /**
   * Takes `items` when anything is left; otherwise answers in how many seconds to come again, and takes nothing unless
   * they are `done` already.
   */
  take(key: string, quota: Quota, items = 1, done = false): number | undefined {
    const bucket = this.#fill(key, quota)
    if (bucket.level >= 1 || done) {
      bucket.level -= items
      return undefined
    }
    return Math.ceil(((1 - bucket.level) * 60) / quota.perMinute)
  }

  /** RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers). */
  headers(key: string, quota: Quota): Readonly<Record<string, string>> {
    const { level } = this.#fill(key, quota)
    const full = Math.ceil(((quota.perMinute - level) * 60) / quota.perMinute)
    return {
      ratelimit: `"${quota.name}";r=${Math.max(0, Math.floor(level))};t=${full}`,
      'ratelimit-policy': `"${quota.name}";q=${quota.perMinute};w=60`,
    }
  }

  #fill(key: string, { perMinute }: Quota): Bucket {
    const now = this.#now()
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      bucket = { level: perMinute, at: now }
      this.#buckets.set(key, bucket)
    } else {
      bucket.level = Math.min(perMinute, bucket.level + ((now - bucket.at) * perMinute) / 60_000)
      bucket.at = now
    }
    return bucket
  }
}
