/**
 * What every command gets: where to write, what is set, and a client for the node that is meant. Only what a command
 * uses is loaded.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from '../client.ts'
import { keysFolder, type Origin, type Resolved, type Settings } from '../config.ts'
import { keyPath, readKeyFile, readSecretFile } from '../keys.ts'
import { nodeFetch } from '../node-fetch.ts'
import { type NodeFile, nodeFile } from '../node-file.ts'
import type { Signer } from '../post-ops.ts'
import { EXIT, Failure, type Output } from './output.ts'

export type Context = {
  readonly out: Output
  readonly resolved: Resolved
  readonly stdin: NodeJS.ReadStream
  readonly env: NodeJS.ProcessEnv
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal
  /** The command's own options as given. */
  readonly options: Readonly<Record<string, unknown>>
}

/** A client of the node that flags, environment and configuration mean. With a key, writes are signed on this side. */
export async function connect(context: Context): Promise<Client> {
  const { settings } = context.resolved
  const keyFile = (context.options.key as string | undefined) ?? settings.key_file
  return connectAs(context, keyFile === undefined ? undefined : await readKeyFile(keyPath(keyFile, keysFolder)))
}

/** The same with this key, whatever the settings name. */
export async function connectAs(context: Context, key: Signer | undefined): Promise<Client> {
  const { settings, origins } = context.resolved
  const byUrl = usesUrl(settings, origins)
  const url = byUrl ? (settings.url as string) : await urlOf(settings.data)
  const tokenFile =
    settings.token_file ?? (byUrl && origins.data === 'default' ? undefined : join(settings.data, 'token'))
  const token = tokenFile === undefined ? undefined : await readToken(tokenFile, settings.token_file !== undefined)
  if (token !== undefined && key === undefined && url.startsWith('http:') && !isLoopback(url)) {
    context.out.talk(`warning: writes send the token to ${new URL(url).host} unencrypted`)
  }
  return new Client({ url, fetch: nodeFetch, ...(token !== undefined && { token }), ...(key && { key }) })
}

const STRENGTH: Readonly<Record<Origin, number>> = { flag: 3, environment: 2, file: 1, default: 0 }

/** The URL counts unless the data folder was named by something stronger. */
function usesUrl(settings: Settings, origins: Resolved['origins']): boolean {
  return settings.url !== undefined && STRENGTH[origins.url] >= STRENGTH[origins.data]
}

async function urlOf(data: string): Promise<string> {
  const path = nodeFile(data)
  let file: NodeFile
  try {
    file = JSON.parse(await readFile(path, 'utf8')) as NodeFile
  } catch (cause) {
    throw new Failure(
      EXIT.error,
      `no node is running on ${data}.\nStart one with: peerage start --data ${data}\nor name another one with --url URL`,
      { cause },
    )
  }
  if (typeof file.http !== 'string' || !URL.canParse(file.http))
    throw new Failure(EXIT.error, `${path} names no address`)
  if (!isAlive(file.pid)) {
    throw new Failure(
      EXIT.error,
      `the node of ${data} is not running (process ${file.pid} is gone).\nStart it with: peerage start --data ${data}`,
    )
  }
  return file.http
}

function isAlive(pid: unknown): boolean {
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process cannot be signalled, but it is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function readToken(path: string, named: boolean): Promise<string | undefined> {
  try {
    return (await readSecretFile(path)).toString('utf8').trim()
  } catch (error) {
    // Reads need no token: only a file that was asked for has to be there, but one that others can read is told.
    if (!named && (error as { code?: string }).code === 'missing') return undefined
    throw error
  }
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname)
}
