/**
 * One webhook's deliveries, in the order of arrival: the next one is sent when the last one has been taken, or given up
 * and put among the dead letters. A change is delivered at least once. Where it got to is kept on disk; what it sends
 * is read from the log of arrivals each time, so nothing is queued in memory however slow the receiver is.
 *
 * The clock, chance and the network are arguments.
 */
import { changeToJson } from './change-json.ts'
import type { Environment } from './environment.ts'
import {
  webhookAttemptsMax,
  webhookBackoffMs,
  webhookBackoffMsMax,
  webhookChangesMax,
  webhookDeadLettersMax,
  webhookPausedMs,
} from './limits.ts'
import type { Change, Log, ReplicaFace } from './replica-types.ts'
import { signWebhook } from './webhook-sign.ts'
import type { WebhookNetwork } from './webhook-target.ts'

export type Hook = {
  readonly id: string
  readonly url: string
  /** Name of the token it was made with. */
  readonly owner: string
  /** Singular names; left out, all. */
  readonly kinds?: readonly string[]
  readonly active: boolean
  readonly description?: string
  /** ms since 1970. */
  readonly created: number
}

/** A delivery that was given up. Its changes are those of the log from `from` to `to`, so they are not kept again. */
export type DeadLetter = {
  readonly n: number
  readonly from: number
  readonly to: number
  /** ms since 1970, of the last attempt. */
  readonly at: number
  readonly attempts: number
  /** The last answer's status, or why there was none. */
  readonly status?: number
  readonly error?: string
}

/** On disk. */
export type Progress = {
  /** Of the log that `cursor` counts in. */
  readonly epoch: string
  /** Everything up to here was taken, given up or is of no interest. */
  readonly cursor: number
  readonly dead: readonly DeadLetter[]
  /** Dead letters that had to go to make room. */
  readonly dropped: number
  readonly next: number
}

export type RunOptions = {
  readonly replica: ReplicaFace
  readonly environment: Environment
  readonly network: WebhookNetwork
  readonly secret: string
  readonly log: Log
  readonly counts: Record<WebhookCount, number>
  readonly save: (progress: Progress) => Promise<void>
  /** Whether the token that made it is still good. */
  readonly allowed: (hook: Hook) => Promise<boolean>
}

export const WEBHOOK_COUNTS = ['taken', 'failed', 'given_up'] as const
type WebhookCount = (typeof WEBHOOK_COUNTS)[number]

type Attempt = { readonly taken: boolean; readonly status?: number; readonly error?: string; readonly waitMs?: number }

export class WebhookRun {
  progress: Progress
  /** Failed attempts of the delivery under way, and what the last one met. */
  failing: { readonly attempts: number; readonly status?: number; readonly error?: string } | undefined
  readonly #options: RunOptions
  #hook: Hook
  readonly #stopping = new AbortController()
  /** Something was appended since we last looked. */
  #hasNews = false
  /** Counts what was changed about the hook. */
  #version = 0
  #waiter: { readonly news: boolean; readonly done: () => void } | undefined
  #running: Promise<void> | undefined

  constructor(hook: Hook, progress: Progress, options: RunOptions) {
    this.#hook = hook
    this.progress = progress
    this.#options = options
  }

  get hook(): Hook {
    return this.#hook
  }

  /** Takes effect at once, also for a delivery that is being tried. */
  set hook(hook: Hook) {
    this.#hook = hook
    this.#changed()
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Something was appended. */
  news(): void {
    this.#hasNews = true
    if (this.#waiter?.news) this.#waiter.done()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#changed()
    await this.#running
  }

  /** From after `seq` on, everything again. A delivery under way is not waited for. */
  async replay(seq: number): Promise<void> {
    await this.#save({ ...this.progress, cursor: seq })
    this.failing = undefined
    this.#changed()
  }

  /** One attempt at once, beside the order. When it is taken the letter is gone. Undefined: no such letter. */
  async redeliver(n: number): Promise<Attempt | undefined> {
    const letter = this.progress.dead.find((each) => each.n === n)
    if (letter === undefined) return undefined
    const changes = await this.#changes(letter.from - 1, letter.to)
    const attempt = changes.length === 0 ? { taken: true } : await this.#post(changes)
    if (attempt.taken) {
      await this.#save({ ...this.progress, dead: this.progress.dead.filter((each) => each.n !== n) })
    }
    return attempt
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#hasNews = false
      const version = this.#version
      try {
        if (!(await this.#mayRun())) await this.#wait(version, webhookPausedMs)
        else if (!(await this.#deliverNext(version))) await this.#wait(version)
      } catch (error) {
        // The log or the disk; the delivery is made again.
        this.#options.log('error', 'a webhook cannot go on', { webhook: this.hook.id, error: String(error) })
        await this.#wait(version, webhookPausedMs)
      }
    }
  }

  async #mayRun(): Promise<boolean> {
    return this.hook.active && (await this.#options.allowed(this.hook))
  }

  /** False when there is nothing to deliver. */
  async #deliverNext(version: number): Promise<boolean> {
    const { epoch } = this.#options.replica
    // A log that began anew has other numbers, and perhaps other ops: all of it is told.
    if (this.progress.epoch !== epoch) await this.#save({ ...this.progress, epoch, cursor: 0 })
    const { cursor } = this.progress
    const page = await this.#options.replica.changes(cursor, webhookChangesMax)
    const last = page.at(-1)
    if (last === undefined) return false
    const changes = page.filter((change) => this.#wants(change))
    if (changes.length > 0 && !(await this.#deliver(changes, version))) return true
    // Meanwhile it may have been sent elsewhere by a replay.
    if (this.progress.cursor === cursor) await this.#save({ ...this.progress, cursor: last.seq })
    return true
  }

  /** Until it is taken or given up; false when something about the hook has changed in between. */
  async #deliver(changes: readonly Change[], version: number): Promise<boolean> {
    for (let attempts = 1; ; attempts++) {
      const attempt = await this.#post(changes)
      if (attempt.taken || this.#version === version) this.failing = undefined
      if (attempt.taken) return true
      if (this.#version !== version) return false
      const { status, error, waitMs } = attempt
      if (attempts >= webhookAttemptsMax) {
        await this.#giveUp(changes, attempts, attempt)
        return true
      }
      this.failing = { attempts, ...(status !== undefined && { status }), ...(error !== undefined && { error }) }
      await this.#wait(version, waitMs ?? this.#backoff(attempts))
      if (this.#version !== version || !(await this.#mayRun())) return false
    }
  }

  async #giveUp(changes: readonly Change[], attempts: number, { status, error }: Attempt): Promise<void> {
    const { progress } = this
    this.#options.counts.given_up++
    const letter: DeadLetter = {
      n: progress.next,
      from: (changes[0] as Change).seq,
      to: (changes.at(-1) as Change).seq,
      at: this.#options.environment.clock.now(),
      attempts,
      ...(status !== undefined && { status }),
      ...(error !== undefined && { error }),
    }
    const dead = [...progress.dead, letter]
    const over = Math.max(0, dead.length - webhookDeadLettersMax)
    await this.#save({
      ...progress,
      dead: dead.slice(over),
      dropped: progress.dropped + over,
      next: progress.next + 1,
    })
    this.#options.log('warn', 'a webhook delivery was given up', { webhook: this.hook.id, ...letter })
  }

  async #post(changes: readonly Change[]): Promise<Attempt> {
    const attempt = await this.#send(changes)
    this.#options.counts[attempt.taken ? 'taken' : 'failed']++
    return attempt
  }

  async #send(changes: readonly Change[]): Promise<Attempt> {
    const { environment, network, replica, secret } = this.#options
    const [first, last] = [changes[0] as Change, changes.at(-1) as Change]
    const id = `${this.hook.id}.${replica.epoch.slice(0, 8)}.${first.seq}-${last.seq}`
    const body = JSON.stringify({
      webhook: this.hook.id,
      delivery: id,
      epoch: replica.epoch,
      changes: changes.map(changeToJson),
    })
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'peerage-webhook',
      ...signWebhook(secret, id, Math.floor(environment.clock.now() / 1000), body),
    }
    try {
      const { url } = this.hook
      const { status, retryAfterMs } = await network.post({ url, headers, body, signal: this.#stopping.signal })
      const waitMs = retryAfterMs === undefined ? undefined : Math.min(retryAfterMs, webhookBackoffMsMax)
      return { taken: status >= 200 && status < 300, status, ...(waitMs !== undefined && { waitMs }) }
    } catch (cause) {
      return { taken: false, error: reasonOf(cause) }
    }
  }

  /** Doubles, and spreads over half of itself, so that receivers that come back are not met by all at once. */
  #backoff(attempts: number): number {
    const ms = Math.min(webhookBackoffMsMax, webhookBackoffMs * 2 ** (attempts - 1))
    return ms * (0.5 + this.#options.environment.random.float() / 2)
  }

  #wants(change: Change): boolean {
    return this.hook.kinds === undefined || this.hook.kinds.includes(change.kind)
  }

  /** Those of interest with `after` < seq <= `last`. */
  async #changes(after: number, last: number): Promise<readonly Change[]> {
    const page = await this.#options.replica.changes(after, webhookChangesMax)
    return page.filter((change) => change.seq <= last && this.#wants(change))
  }

  #changed(): void {
    this.#version++
    this.#waiter?.done()
  }

  /**
   * Until the time is over or the hook is another than in that version. Without a time, until there is news: to a
   * delivery that failed, further news is no reason to try again sooner.
   */
  #wait(version: number, ms?: number): Promise<void> {
    const news = ms === undefined
    if (this.#version !== version || (news && this.#hasNews)) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        cancel?.()
        this.#waiter = undefined
        resolve()
      }
      const cancel = ms === undefined ? undefined : this.#options.environment.clock.after(ms, done)
      this.#waiter = { news, done }
    })
  }

  async #save(progress: Progress): Promise<void> {
    this.progress = progress
    await this.#options.save(progress)
  }
}

/** A word for whoever reads the webhook: nothing of this machine. */
function reasonOf(cause: unknown): string {
  const { code, message, name } = cause as NodeJS.ErrnoException
  if (name === 'TimeoutError' || name === 'AbortError') return 'no answer in time'
  return (code ?? message ?? 'no answer').slice(0, 100)
}
