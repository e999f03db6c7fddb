/**
 * What can be set, where it comes from, and which source wins: flag > environment > file > default.
 *
 * One table gives names, defaults and help. Names are the same everywhere: `token_file` in the file, `--token-file`
 * on the command line, `PEERAGE_TOKEN_FILE` in the environment. A secret is never a setting, only the file it lies in.
 */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import envPaths from 'env-paths'
import ipaddr from 'ipaddr.js'
import { closest } from './closest.ts'

type Type = 'text' | 'path' | 'list' | 'switch' | 'count'
export type Setting = {
  readonly type: Type
  readonly default: string | readonly string[] | boolean | number | undefined
  readonly unit?: string
  readonly note: string
}

const folders = envPaths('peerage')

export const SETTINGS = {
  data: { type: 'path', default: folders.data, note: 'Folder that holds everything a node keeps.' },
  http: {
    type: 'text',
    default: '127.0.0.1:7070',
    unit: 'host:port',
    note: 'Where the HTTP face listens; port 0 picks a free one.',
  },
  http_host: {
    type: 'list',
    default: [],
    unit: 'name',
    note: 'Further host names this node is reached by, as behind a proxy.',
  },
  public_reads: {
    type: 'switch',
    default: true,
    note: 'Anybody may read over HTTP; otherwise reads need a token too.',
  },
  rate_limit: {
    type: 'count',
    default: 1_200,
    unit: 'a minute',
    note: 'HTTP requests from one /24 or /56 without a token, each item of a batch counted; 0 for no bound.',
  },
  token_rate_limit: {
    type: 'count',
    default: 60_000,
    unit: 'a minute',
    note: 'The same for one token.',
  },
  limit_local: { type: 'switch', default: false, note: 'Bound loopback and private addresses too.' },
  webhooks_local: {
    type: 'switch',
    default: false,
    note: 'Webhooks may lead to loopback and private addresses too.',
  },
  trusted_proxies: {
    type: 'list',
    default: [],
    unit: 'address or block',
    note: 'Proxies whose X-Forwarded-For says where a request comes from.',
  },
  listen: {
    type: 'list',
    default: [],
    unit: 'multiaddr',
    note: 'Where other nodes can reach this one; loopback unless named.',
  },
  join: { type: 'list', default: [], unit: 'multiaddr', note: 'Nodes to connect to at start.' },
  network: { type: 'text', default: 'peerage', unit: 'name or name#salt', note: 'The network this node belongs to.' },
  mdns: {
    type: 'switch',
    default: true,
    note: 'Find nodes on the local network, once `listen` names an address of it.',
  },
  offline: { type: 'switch', default: false, note: 'Neither listen for nodes nor dial any.' },
  kinds: {
    type: 'list',
    default: [],
    unit: 'kind',
    note: "Hold records of these kinds only (and one's own): models, agents, ...",
  },
  owners: {
    type: 'list',
    default: [],
    unit: 'did',
    note: "Hold records of these owners only (and one's own), beside those of `kinds`.",
  },
  quota_ops_per_hour: {
    type: 'count',
    default: 100_000,
    unit: 'ops',
    note: 'Live ops an hour of one owner or actor, where `peerage quota` says nothing else; 0 for no bound.',
  },
  quota_records: { type: 'count', default: 1_000_000, unit: 'records', note: 'The same for records in all.' },
  quota_bytes: { type: 'count', default: 4_000_000_000, unit: 'bytes', note: 'The same for the bytes of ops in all.' },
  sample: { type: 'switch', default: false, note: 'Load the small sample catalogue at start.' },
  search_weights: {
    type: 'list',
    default: [],
    unit: 'part=number',
    note: 'What the parts of a search score are worth, such as freshness=0.1; in the file also a map.',
  },
  log_level: {
    type: 'text',
    default: 'info',
    unit: 'debug, info, warn, error or silent',
    note: 'How much a node tells on stderr.',
  },
  url: {
    type: 'text',
    default: undefined,
    unit: 'http(s) URL',
    note: 'The node that commands talk to, instead of the one in `data`.',
  },
  token_file: {
    type: 'path',
    default: undefined,
    note: 'File with the token for writes that the node signs; `data`/token unless named.',
  },
  key_file: { type: 'path', default: undefined, note: 'Publisher key that signs writes on this side.' },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof SETTINGS
type ValueOf<T extends Type> = T extends 'list'
  ? readonly string[]
  : T extends 'switch'
    ? boolean
    : T extends 'count'
      ? number
      : string
export type Settings = {
  readonly [K in SettingName]: (typeof SETTINGS)[K]['default'] extends undefined
    ? ValueOf<(typeof SETTINGS)[K]['type']> | undefined
    : ValueOf<(typeof SETTINGS)[K]['type']>
}
export type Origin = 'flag' | 'environment' | 'file' | 'default'
export type Resolved = {
  readonly settings: Settings
  readonly origins: Readonly<Record<SettingName, Origin>>
  readonly warnings: readonly string[]
  /** The configuration file, when there is one. */
  readonly file?: string
}

/** A setting that cannot be meant: the person at the keyboard has to change something. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

const names = Object.keys(SETTINGS) as SettingName[]
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent']

export function environmentName(name: SettingName): string {
  return `PEERAGE_${name.toUpperCase()}`
}

/** Where publisher keys made by `keys new` lie. */
export const keysFolder = join(folders.config, 'keys')

/** `--config`, else PEERAGE_CONFIG, else config.yaml in the user's configuration folder. Only a named file must exist. */
export function configFile(flag: string | undefined, env: NodeJS.ProcessEnv): { path: string; named: boolean } {
  const named = flag ?? (env.PEERAGE_CONFIG || undefined)
  if (named !== undefined) return { path: expandHome(named), named: true }
  return { path: join(folders.config, 'config.yaml'), named: false }
}

/** Reads the file if there is one, and resolves. `flags` holds only what was given on the command line. */
export async function loadSettings(
  flags: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
): Promise<Resolved> {
  const { path, named } = configFile(flags.config as string | undefined, env)
  let text: string | undefined
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (named) throw new ConfigError(`couldn't read the configuration file ${path}: ${(error as Error).message}`)
  }
  const file = text === undefined ? {} : await parseFile(text, path)
  return { ...resolveSettings({ flags, env, file, path }), ...(text !== undefined && { file: resolve(path) }) }
}

/** Pure: the same three sources, the same answer. */
export function resolveSettings(sources: {
  readonly flags: Readonly<Record<string, unknown>>
  readonly env: NodeJS.ProcessEnv
  readonly file: Readonly<Record<string, unknown>>
  readonly path?: string
}): Resolved {
  const { flags, env, file, path = 'the configuration file' } = sources
  for (const key of Object.keys(file)) {
    if (!Object.hasOwn(SETTINGS, key)) throw new ConfigError(`${path}: unknown setting ${key}${didYouMean(key, names)}`)
  }
  const settings: Record<string, unknown> = {}
  const origins = {} as Record<SettingName, Origin>
  for (const name of names) {
    const variable = env[environmentName(name)]
    const [origin, raw, where]: [Origin, unknown, string] =
      flags[name] !== undefined
        ? ['flag', flags[name], `--${name.replaceAll('_', '-')}`]
        : variable !== undefined && variable !== ''
          ? ['environment', variable, environmentName(name)]
          : file[name] !== undefined && file[name] !== null
            ? ['file', file[name], `${path}: ${name}`]
            : ['default', SETTINGS[name].default, name]
    origins[name] = origin
    settings[name] = raw === undefined ? undefined : read(SETTINGS[name].type, raw, where)
  }
  check(settings as Settings)
  return { settings: settings as Settings, origins, warnings: strayVariables(env) }
}

function read(type: Type, raw: unknown, where: string): string | readonly string[] | boolean | number {
  if (type === 'switch') {
    if (typeof raw === 'boolean') return raw
    if (/^(1|true|yes|on)$/i.test(String(raw))) return true
    if (/^(0|false|no|off)$/i.test(String(raw))) return false
    throw new ConfigError(`${where}: expected true or false, got ${String(raw)}`)
  }
  if (type === 'list') {
    const items = Array.isArray(raw) ? raw : isMap(raw) ? assignments(raw) : String(raw).split(',')
    if (!items.every((item) => typeof item === 'string')) throw new ConfigError(`${where}: expected a list of texts`)
    return items.map((item) => item.trim()).filter((item) => item !== '')
  }
  if (type === 'count') {
    if (/^\d{1,15}$/.test(String(raw))) return Number(raw)
    throw new ConfigError(`${where}: expected a whole number, got ${String(raw)}`)
  }
  if (typeof raw !== 'string' && typeof raw !== 'number') throw new ConfigError(`${where}: expected a text`)
  return type === 'path' ? resolve(expandHome(String(raw))) : String(raw)
}

function isMap(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === 'object' && raw !== null
}

/** `{freshness: 0.1}` is `freshness=0.1`. */
function assignments(map: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(map).map(([name, value]) => `${name}=${String(value)}`)
}

function check(settings: Settings): void {
  splitHostPort(settings.http)
  if (!LOG_LEVELS.includes(settings.log_level)) {
    throw new ConfigError(`log_level: expected one of ${LOG_LEVELS.join(', ')}, got ${settings.log_level}`)
  }
  for (const block of settings.trusted_proxies) {
    if (ipaddr.isValidCIDR(block) || ipaddr.isValid(block)) continue
    throw new ConfigError(`trusted_proxies: expected an address or a block such as 10.0.0.0/8, got ${block}`)
  }
  if (settings.url !== undefined && !/^https?:\/\/./.test(settings.url)) {
    throw new ConfigError(`url: expected an http:// or https:// URL, got ${settings.url}`)
  }
}

/** `127.0.0.1:7070`, `[::1]:0`. */
export function splitHostPort(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (!match || port > 65_535) throw new ConfigError(`http: expected HOST:PORT, got ${text}`)
  return { host: (match[1] ?? match[2]) as string, port }
}

/**
 * Variables that look like ours and are none. They warn and do not fail: where a service is called "peerage",
 * Kubernetes puts PEERAGE_PORT and PEERAGE_SERVICE_* into every process, and a node must start there.
 */
function strayVariables(env: NodeJS.ProcessEnv): string[] {
  const known = [...names.map(environmentName), 'PEERAGE_CONFIG']
  return Object.keys(env)
    .filter((key) => key.startsWith('PEERAGE_') && !known.includes(key) && !/^PEERAGE_(SERVICE_|PORT)/.test(key))
    .map((key) => {
      const inFile = `${key}_FILE`
      const hint = known.includes(inFile)
        ? `; a secret stays in a file, and ${inFile} names it`
        : didYouMean(key, known)
      return `unknown environment variable ${key}${hint}`
    })
}

async function parseFile(text: string, path: string): Promise<Record<string, unknown>> {
  const { parse } = await import('yaml')
  let value: unknown
  try {
    value = parse(text) ?? {}
  } catch (error) {
    throw new ConfigError(`${path}: ${(error as Error).message}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigError(`${path}: expected a map of settings`)
  }
  return value as Record<string, unknown>
}

function didYouMean(word: string, words: readonly string[]): string {
  const near = closest(word, words)
  return near === undefined ? '' : `; did you mean ${near}?`
}

/** A shell does not expand `~` behind `=`, in a variable or in a file. */
function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path
}
