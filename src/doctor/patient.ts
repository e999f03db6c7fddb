/**
 * What the checks of `peerage doctor` look at: a data folder, the node that runs on it if one does, and peers by their
 * URLs. Each part is read once, when the first check asks.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspectStore, NodeError, type StoreReport } from '../../node/index.ts'
import type { Status } from '../answers.ts'
import { Client } from '../client.ts'
import type { Settings } from '../config.ts'
import { otherOwner } from '../folder-owner.ts'
import { readSecretFile } from '../keys.ts'
import { doctorAskMs } from '../limits.ts'
import { type NodeFile, nodeFile } from '../node-file.ts'

/** How a folder is held: by nobody, by a node that answers, by a process that does not; or it is another user's. */
export type Held =
  | { readonly by: 'nothing' }
  | { readonly by: 'nobody'; readonly store: StoreReport }
  | { readonly by: 'node'; readonly status: Status; readonly metrics: Metrics; readonly ready: boolean }
  | { readonly by: 'silence'; readonly why: string }
  | { readonly by: 'damage'; readonly why: string }
  | { readonly by: 'stranger'; readonly why: string }

/** The value of a series by its name and labels as they are written. */
export type Metrics = ReadonlyMap<string, number>

export type PeerAnswer =
  | { readonly url: string; readonly status: Status; readonly aheadMs: number | undefined }
  | { readonly url: string; readonly why: string }

export class Patient {
  readonly settings: Settings
  readonly #urls: readonly string[]
  #held: Promise<Held> | undefined
  #peers: Promise<readonly PeerAnswer[]> | undefined

  constructor(settings: Settings, urls: readonly string[]) {
    this.settings = settings
    this.#urls = urls
  }

  get data(): string {
    return this.settings.data
  }

  held(): Promise<Held> {
    this.#held ??= this.#look()
    return this.#held
  }

  peers(): Promise<readonly PeerAnswer[]> {
    this.#peers ??= Promise.all(this.#urls.map(askPeer))
    return this.#peers
  }

  /** The file by which a running node is found. */
  nodeFile(): NodeFile | undefined {
    try {
      return JSON.parse(readFileSync(nodeFile(this.data), 'utf8')) as NodeFile
    } catch {
      return undefined
    }
  }

  async client(): Promise<Client | undefined> {
    const url = this.nodeFile()?.http
    if (url === undefined) return undefined
    const token = await readSecretFile(join(this.data, 'token')).then(
      (bytes) => bytes.toString('utf8').trim(),
      () => undefined,
    )
    return new Client({ url, ...(token !== undefined && { token }) })
  }

  async #look(): Promise<Held> {
    if (!existsSync(join(this.data, 'ops'))) return { by: 'nothing' }
    const answer = await this.#ask()
    if (typeof answer !== 'string') return answer
    const owner = otherOwner(this.data)
    if (owner !== undefined) return { by: 'stranger', why: `the folder belongs to user ${owner}` }
    try {
      return { by: 'nobody', store: await inspectStore(this.data) }
    } catch (error) {
      if (!(error instanceof NodeError)) throw error
      if (error.code !== 'store-locked') return { by: 'damage', why: error.message }
      return { by: 'silence', why: `${error.message}; ${answer}` }
    }
  }

  /** What the node says, or why it says nothing. */
  async #ask(): Promise<Held | string> {
    const client = await this.client()
    if (client === undefined) return 'it has not said where it answers'
    try {
      const signal = AbortSignal.timeout(doctorAskMs)
      const status = await client.status({ signal })
      const metrics = readMetrics(await (await fetch(`${client.url}/metrics`, { signal })).text())
      const { ok } = await fetch(`${client.url}/readyz`, { signal })
      return { by: 'node', status, metrics, ready: ok }
    } catch (error) {
      return `asked at ${client.url}: ${(error as Error).message}`
    }
  }
}

/** Its status, and how far its clock is ahead of ours: Date tells whole seconds, so half of one is nobody's fault. */
async function askPeer(url: string): Promise<PeerAnswer> {
  try {
    const began = Date.now()
    const response = await fetch(`${url.replace(/\/+$/, '')}/v1/status`, { signal: AbortSignal.timeout(doctorAskMs) })
    const ended = Date.now()
    if (!response.ok) return { url, why: `it answers ${response.status}` }
    const told = Date.parse(response.headers.get('date') ?? '')
    const status = (await response.json()) as Status
    const aheadMs = Number.isNaN(told) ? undefined : told + 500 - (began + ended) / 2
    return { url, status, aheadMs }
  } catch (error) {
    return { url, why: (error as Error).message }
  }
}

function readMetrics(text: string): Metrics {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ')
      return [line.slice(0, end), Number(line.slice(end + 1))]
    }),
  )
}
