/**
 * A node without a network, listening on a free loopback port: the real replica, index and HTTP face over a disk in
 * memory. For tests that speak HTTP.
 */

import { type HttpServer, type ListenOptions, listen } from '../../api/index.ts'
import { type Draft, fromHex, keyToDid, networkId, signBatch } from '../../crdt/index.ts'
import { MemoryDisk } from '../../node/disk-memory.ts'
import {
  Authorities,
  Catalogue,
  type Disk,
  type Environment,
  Metrics,
  type NodeFace,
  type ReplicaFace,
  readStatus,
  type SearchIndex,
  type Signer,
  type WebhookNetwork,
  Webhooks,
  type Weights,
  webhookNetwork,
} from '../../node/index.ts'
import { Indexer } from '../../node/indexer.ts'
import { machineEnvironment, nativeSuite, signerFromSeed } from '../../node/native.ts'
import { Replica } from '../../node/replica.ts'
import { ScanIndex } from '../../node/search-scan.ts'
import { Verifier } from '../../node/verifier.ts'
import { mcpServer } from '../../src/mcp-server.ts'

export const TOKEN = 'a-token-for-tests-only'
export const NET = networkId('test')

export type HttpNode = AsyncDisposable & {
  readonly url: string
  readonly server: HttpServer
  readonly node: NodeFace
  readonly replica: ReplicaFace
  readonly signer: Signer
  /** With the token; a plain object or list becomes JSON. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>
}

export type HttpNodeOptions = Partial<ListenOptions> & {
  /** Makes the node's key. */
  readonly seed?: number
  readonly ready?: () => boolean
  readonly disk?: Disk
  /** Of webhooks only. */
  readonly environment?: Environment
  readonly webhookNetwork?: WebhookNetwork
  readonly allowed?: (owner: string) => Promise<boolean>
  /** Disposed of by who made it. */
  readonly index?: SearchIndex
  readonly searchWeights?: Partial<Weights>
}

export async function startHttpNode(options: HttpNodeOptions = {}): Promise<HttpNode> {
  const signer = signerOf(options.seed ?? 1)
  const checker = new Verifier()
  const replica = await Replica.open({
    disk: options.disk ?? new MemoryDisk(),
    environment: machineEnvironment,
    suite: nativeSuite,
    checker,
    net: NET,
    signer,
    onAdmitted: (admitted, source) => metrics.admitted(admitted, source.via),
  })
  await replica.ready
  const index = options.index ?? new ScanIndex()
  const indexer = await Indexer.open({ replica, index, environment: machineEnvironment })
  const metrics: Metrics = new Metrics(
    () => ({
      ...replica.counts(),
      pendingOps: replica.pending().ops,
      pendingBytes: replica.pending().bytes,
      searchBehind: indexer.behind,
      damagedOps: replica.health().damagedOps,
      withheldOps: replica.withheldOps(),
      peers: 0,
    }),
    { process: false },
  )
  const webhooks = await Webhooks.open({
    replica,
    environment: options.environment ?? machineEnvironment,
    network: options.webhookNetwork ?? webhookNetwork({ local: true }),
    master: 'a-secret-for-tests-only',
    allowed: options.allowed ?? (async () => true),
  })
  const node: NodeFace = {
    version: '0.0.0-test',
    networkName: 'test',
    replica,
    catalogue: new Catalogue(replica, indexer, options.searchWeights),
    authorities: new Authorities(replica),
    did: keyToDid(signer.key),
    multiaddrs: () => [],
    status: (wanted) =>
      readStatus({ version: '0.0.0-test', networkName: 'test', replica, index: indexer, ready: true }, wanted),
    metrics: () => metrics.text(),
    ready: options.ready ?? (() => true),
    webhooks,
    countRequest: (facts) => metrics.request(facts),
  }
  const server = await listen(node, { host: '127.0.0.1', port: 0, token: TOKEN, mcp: mcpServer, ...options })
  return {
    url: server.url,
    server,
    node,
    replica,
    signer,
    call: (method, path, body, headers) => call(server.url, method, path, body, headers),
    [Symbol.asyncDispose]: async () => {
      await server.close()
      await webhooks[Symbol.asyncDispose]()
      await indexer[Symbol.asyncDispose]()
      await replica[Symbol.asyncDispose]()
      await checker[Symbol.asyncDispose]()
    },
  }
}

async function call(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const raw = typeof body === 'string' || body instanceof Uint8Array
  return fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${TOKEN}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: (raw ? body : JSON.stringify(body)) as BodyInit }),
  })
}

export function signerOf(n: number): Signer {
  return signerFromSeed(fromHex(n.toString(16).padStart(64, '0')))
}

/** Frames signed by a key that the node does not hold. */
export function framesBy(signer: Signer, drafts: readonly Draft[]): Uint8Array[] {
  return signBatch(drafts, { net: NET, key: signer.key, sign: (message) => signer.sign(message) }).map(
    ({ frame }) => frame.bytes,
  )
}

/** The body of a response as JSON, with what a test needs of it. */
// biome-ignore lint/suspicious/noExplicitAny: a test looks where it likes, and fails when nothing is there
export async function jsonOf<T = Record<string, any>>(response: Response): Promise<T> {
  return (await response.json()) as T
}
