/** The lists of whoever runs a node, for who has its main token: what it blocks, and how much of one hand it takes. */
import type * as Answer from './answers.ts'
import type { Http } from './http.ts'

type CallOptions = { readonly signal?: AbortSignal }

export class ClientPolicy {
  readonly #http: Http

  constructor(http: Http) {
    this.#http = http
  }

  async blocks(options: CallOptions = {}): Promise<readonly Answer.Block[]> {
    return (await this.#http.json<{ items: Answer.Block[] }>('/v1/policy/blocks', { token: true, ...options })).items
  }

  /** A did:key or did:peerage, a record id or a peer id. */
  block(target: string, reason?: string, options: CallOptions = {}): Promise<Answer.Block> {
    const body = reason === undefined ? {} : { reason }
    return this.#http.json(blockPath(target), { method: 'PUT', body, token: true, ...options })
  }

  async unblock(target: string, options: CallOptions = {}): Promise<void> {
    await this.#http.send(blockPath(target), { method: 'DELETE', token: true, ...options })
  }

  /** Of everybody, and of those who have one of their own. */
  quotas(options: CallOptions = {}): Promise<Answer.Quotas> {
    return this.#http.json('/v1/policy/quotas', { token: true, ...options })
  }

  quota(did: string, options: CallOptions = {}): Promise<Answer.OwnerQuota> {
    return this.#http.json(quotaPath(did), { token: true, ...options })
  }

  /** What is left out is as for everybody; 0 is no bound. */
  setQuota(did: string, quota: Answer.Quota, options: CallOptions = {}): Promise<Answer.OwnerQuota> {
    return this.#http.json(quotaPath(did), { method: 'PUT', body: quota, token: true, ...options })
  }

  async removeQuota(did: string, options: CallOptions = {}): Promise<void> {
    await this.#http.send(quotaPath(did), { method: 'DELETE', token: true, ...options })
  }
}

function blockPath(target: string): string {
  return `/v1/policy/blocks/${encodeURIComponent(target)}`
}

function quotaPath(did: string): string {
  return `/v1/policy/quotas/${encodeURIComponent(did)}`
}
