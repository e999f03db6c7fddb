/**
 * The whole program on one screen: settings -> node -> HTTP face -> signals.
 *
 * `start` resolves with the exit code when the node has stopped. Whatever it prints on stdout is for the person (or,
 * with `json`, the program) that started it; everything else goes to the log on stderr.
 */
import { existsSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { type HttpServer, listen } from '../api/index.ts'
import { Node, NodeError, openToken, SEARCH_PARTS, tokenFile } from '../node/index.ts'
import { type Settings, splitHostPort } from './config.ts'
import { type Logger, logProcess, openLog } from './log.ts'
import { mcpServer } from './mcp-server.ts'
import { type NodeFile, nodeFile } from './node-file.ts'
import { loadSample } from './sample/load.ts'
import { readWeights } from './search-weights.ts'
import { setsOf } from './sets.ts'
import { programVersion } from './version.ts'

export type StartOptions = { readonly json: boolean; readonly warnings?: readonly string[] }

/** How long a node that is shutting down may keep the folder. */
const lockWaitMs = 10_000
/** Pressing Ctrl-C twice by accident is one request. */
const sameSignalMs = 2_000

const version = programVersion()

export async function start(settings: Settings, options: StartOptions): Promise<number> {
  const log = openLog(settings.log_level)
  const unlog = logProcess(log)
  for (const warning of options.warnings ?? []) log.warn(warning)
  const stop = stopSignal(log)

  try {
    await using node = await openWhenFree(settings, log)
    return await serve(node, settings, options, log, stop)
  } finally {
    unlog()
  }
}

/** The HTTP face over a running node, until it is told to stop. */
async function serve(
  node: Node,
  settings: Settings,
  options: StartOptions,
  log: Logger,
  stop: Promise<void>,
): Promise<number> {
  const http = await listen(node, {
    ...splitHostPort(settings.http),
    hosts: settings.http_host,
    token: await openToken(settings.data),
    tokens: (secret) => node.tokens.find(secret),
    publicReads: settings.public_reads,
    subnetPerMinute: settings.rate_limit,
    tokenPerMinute: settings.token_rate_limit,
    limitLocal: settings.limit_local,
    trustedProxies: settings.trusted_proxies,
    mcp: mcpServer,
    log: (level, message, facts) => log[level](facts ?? {}, message),
  })
  try {
    await writeAddress(settings.data, node, http)
    if (settings.sample) await loadSample(node)
    announce(node, http, settings, options.json)
    await stop
    log.info('stopping')
    return 0
  } finally {
    await rm(nodeFile(settings.data), { force: true })
    await http.close()
  }
}

/** A holder that takes its address away is shutting down, and worth waiting for; one that shows it is not. */
async function openWhenFree(settings: Settings, log: Logger): Promise<Node> {
  const until = performance.now() + lockWaitMs
  for (;;) {
    try {
      return await Node.open({
        data: settings.data,
        network: settings.network,
        listen: settings.listen,
        join: settings.join,
        mdns: settings.mdns,
        offline: settings.offline,
        sets: setsOf(settings),
        quota: {
          opsPerHour: settings.quota_ops_per_hour,
          records: settings.quota_records,
          bytes: settings.quota_bytes,
        },
        webhooksLocal: settings.webhooks_local,
        searchWeights: readWeights(settings.search_weights, SEARCH_PARTS),
        version,
        log: (level, message, facts) => log[level](facts ?? {}, message),
      })
    } catch (error) {
      const locked = error instanceof NodeError && error.code === 'store-locked'
      if (!locked || performance.now() > until || existsSync(nodeFile(settings.data))) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** Whole or not at all: a command that reads it never sees half a file. */
async function writeAddress(data: string, node: Node, http: HttpServer): Promise<void> {
  const facts: NodeFile = {
    http: http.url,
    pid: process.pid,
    peer_id: node.peerId,
    multiaddrs: node.multiaddrs(),
    version,
  }
  const partial = `${nodeFile(data)}.${process.pid}`
  await writeFile(partial, `${JSON.stringify(facts, null, 2)}\n`, { mode: 0o600 })
  await rename(partial, nodeFile(data))
}

function announce(node: Node, http: HttpServer, settings: Settings, json: boolean): void {
  const facts = {
    http: http.url,
    peer_id: node.peerId,
    multiaddrs: node.multiaddrs(),
    data: settings.data,
    token_file: tokenFile(settings.data),
  }
  if (json) {
    process.stdout.write(`${JSON.stringify(facts)}\n`)
    return
  }
  const { records } = node.replica.counts()
  const total = Object.values(records).reduce((sum, count) => sum + count, 0)
  const lines = [
    `Peerage ${version} on the network "${settings.network}"`,
    `  HTTP     ${facts.http}`,
    `  key      ${node.did}`,
    `  peer id  ${facts.peer_id}`,
    ...facts.multiaddrs.map((address) => `  listens  ${address}`),
    `  data     ${facts.data}`,
    `  records  ${total}`,
    '',
    ...(settings.join.length > 0 ? ['Connecting; `peerage status` says how far it is'] : nextStep(total, facts)),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function nextStep(total: number, facts: { http: string; multiaddrs: readonly string[] }): string[] {
  if (total > 0)
    return [`Try   curl -s '${facts.http}/v1/search' -H 'content-type: application/json' -d '{"query":"llama"}'`]
  const [address] = facts.multiaddrs
  return [
    'The catalogue is empty. Fill it with one of',
    '  npm run -s peerage -- import FILE.jsonl.gz      (or start with --sample)',
    ...(address === undefined ? [] : ['or let another node sync from this one', `  npm start -- --join ${address}`]),
  ]
}

/** Resolves at the first SIGTERM or SIGINT. One more, later than an accident, ends the process at once. */
function stopSignal(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    let first: number | undefined
    const asked = (signal: NodeJS.Signals) => {
      if (first === undefined) {
        first = performance.now()
        resolve()
      } else if (performance.now() - first > sameSignalMs) {
        log.warn(`${signal} again: stopping without waiting; the next start checks the store`)
        process.exit(1)
      }
    }
    process.on('SIGTERM', asked)
    process.on('SIGINT', asked)
  })
}
