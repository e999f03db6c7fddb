/**
 * Webhooks: who is told of changes by a request of ours, instead of asking. Part of the node and not of its HTTP face,
 * since it has a lifetime of its own: it goes on over restarts, and must stop before the replica that it reads.
 *
 * The list and each one's progress are notes in the store; the secrets are in neither, but made from one master secret
 * (webhook-sign.ts).
 */
import { randomUUID } from 'node:crypto'
import { countsOf } from './counters.ts'
import type { Environment } from './environment.ts'
import { NodeError } from './errors.ts'
import { webhooksMax } from './limits.ts'
import type { Log, ReplicaFace } from './replica-types.ts'
import { type DeadLetter, type Hook, type Progress, WEBHOOK_COUNTS, WebhookRun } from './webhook-run.ts'
import { webhookSecret } from './webhook-sign.ts'
import type { WebhookNetwork } from './webhook-target.ts'

export type WebhookOptions = {
  readonly replica: ReplicaFace
  readonly environment: Environment
  readonly network: WebhookNetwork
  /** What all secrets are made from. */
  readonly master: string
  /** Whether the token of this name is still good, for these kinds. */
  readonly allowed: (owner: string, kinds: readonly string[] | undefined) => Promise<boolean>
  readonly log?: Log
}

export type WebhookFacts = Hook & {
  readonly cursor: number
  readonly failing?: { readonly attempts: number; readonly status?: number; readonly error?: string }
  readonly deadLetters: number
  readonly dropped: number
}

export type NewWebhook = Pick<Hook, 'url' | 'owner' | 'kinds' | 'description'> & {
  /** Told from after this seq on; left out, only what comes from now on. */
  readonly since?: number
}
export type WebhookChange = Partial<Pick<Hook, 'url' | 'kinds' | 'description' | 'active'>>

export interface WebhooksFace {
  /** By owner; undefined for all. */
  list(owner?: string): readonly WebhookFacts[]
  get(id: string): WebhookFacts | undefined
  /** Why this URL may not be called. */
  objection(url: string): Promise<string | undefined>
  /** NodeError('busy') when there are too many. */
  create(wanted: NewWebhook): Promise<WebhookFacts & { readonly secret: string }>
  change(id: string, change: WebhookChange): Promise<WebhookFacts | undefined>
  remove(id: string): Promise<boolean>
  replay(id: string, since: number): Promise<WebhookFacts | undefined>
  deadLetters(id: string): readonly DeadLetter[] | undefined
  /** One attempt at once. Undefined when there is no such letter. */
  redeliver(id: string, n: number): Promise<Redelivered | undefined>
}

export type Redelivered = { readonly taken: boolean; readonly status?: number; readonly error?: string }

const LIST = 'webhooks'

export class Webhooks implements WebhooksFace, AsyncDisposable {
  /** Attempts, for the metrics page. */
  readonly counters = { webhook_deliveries: countsOf(WEBHOOK_COUNTS) }
  readonly #options: WebhookOptions
  readonly #runs = new Map<string, WebhookRun>()
  readonly #unsubscribe: () => void
  #saving: Promise<void> = Promise.resolve()

  /** Reads what there is and goes on with it. */
  static async open(options: WebhookOptions): Promise<Webhooks> {
    const hooks = (readNote(await options.replica.note(LIST)) ?? []) as Hook[]
    const webhooks = new Webhooks(options)
    for (const hook of hooks) {
      const progress = readNote(await options.replica.note(noteOf(hook.id))) as Progress | undefined
      webhooks.#begin(hook, progress ?? webhooks.#fresh(0))
    }
    return webhooks
  }

  private constructor(options: WebhookOptions) {
    this.#options = options
    this.#unsubscribe = options.replica.onAppended(() => {
      for (const run of this.#runs.values()) run.news()
    })
  }

  list(owner?: string): readonly WebhookFacts[] {
    return [...this.#runs.values()].map(factsOf).filter((each) => owner === undefined || each.owner === owner)
  }

  get(id: string): WebhookFacts | undefined {
    const run = this.#runs.get(id)
    return run && factsOf(run)
  }

  objection(url: string): Promise<string | undefined> {
    return this.#options.network.objection(url)
  }

  async create({ since, ...wanted }: NewWebhook): Promise<WebhookFacts & { readonly secret: string }> {
    if (this.#runs.size >= webhooksMax) throw new NodeError('busy', `at most ${webhooksMax} webhooks`)
    const { replica, environment, master } = this.#options
    const hook: Hook = { id: randomUUID(), active: true, created: environment.clock.now(), ...wanted }
    const progress = this.#fresh(since ?? replica.counts().seq)
    const run = this.#begin(hook, progress)
    await replica.setNote(noteOf(hook.id), noteBytes(progress))
    await this.#saveList()
    return { ...factsOf(run), secret: webhookSecret(master, hook.id) }
  }

  async change(id: string, change: WebhookChange): Promise<WebhookFacts | undefined> {
    const run = this.#runs.get(id)
    if (run === undefined) return undefined
    run.hook = { ...run.hook, ...change }
    await this.#saveList()
    return factsOf(run)
  }

  async remove(id: string): Promise<boolean> {
    const run = this.#runs.get(id)
    if (run === undefined) return false
    this.#runs.delete(id)
    await run.stop()
    await this.#saveList()
    await this.#options.replica.setNote(noteOf(id), undefined)
    return true
  }

  async replay(id: string, since: number): Promise<WebhookFacts | undefined> {
    const run = this.#runs.get(id)
    if (run === undefined) return undefined
    await run.replay(since)
    return factsOf(run)
  }

  deadLetters(id: string): readonly DeadLetter[] | undefined {
    return this.#runs.get(id)?.progress.dead
  }

  async redeliver(id: string, n: number): Promise<Redelivered | undefined> {
    return this.#runs.get(id)?.redeliver(n)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await Promise.all([...this.#runs.values()].map((run) => run.stop()))
    await this.#saving
  }

  #begin(hook: Hook, progress: Progress): WebhookRun {
    const { replica, environment, network, master, allowed, log = () => {} } = this.#options
    const run = new WebhookRun(hook, progress, {
      replica,
      environment,
      network,
      secret: webhookSecret(master, hook.id),
      log,
      counts: this.counters.webhook_deliveries,
      save: (now) => replica.setNote(noteOf(hook.id), noteBytes(now)),
      allowed: ({ owner, kinds }) => allowed(owner, kinds),
    })
    this.#runs.set(hook.id, run)
    run.start()
    return run
  }

  #fresh(cursor: number): Progress {
    return { epoch: this.#options.replica.epoch, cursor, dead: [], dropped: 0, next: 1 }
  }

  /** One after the other, so that the newest list is the last that is written. */
  #saveList(): Promise<void> {
    this.#saving = this.#saving
      .catch(() => {}) // told to who asked for that one
      .then(() => this.#options.replica.setNote(LIST, noteBytes([...this.#runs.values()].map(({ hook }) => hook))))
    return this.#saving
  }
}

function factsOf({ hook, progress, failing }: WebhookRun): WebhookFacts {
  const { cursor, dead, dropped } = progress
  return { ...hook, cursor, deadLetters: dead.length, dropped, ...(failing && { failing }) }
}

function noteOf(id: string): string {
  return `webhook/${id}`
}

function noteBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

function readNote(bytes: Uint8Array | undefined): unknown {
  return bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes))
}
