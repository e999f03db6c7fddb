import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { fromJSONSchema } from 'zod'
import { ConfigError, loadSettings, resolveSettings, SETTINGS, splitHostPort } from '../../src/config.ts'
import { configSchema } from '../../src/config-schema.ts'

const resolve = (sources: Partial<Parameters<typeof resolveSettings>[0]>) =>
  resolveSettings({ flags: {}, env: {}, file: {}, ...sources })

test('a flag wins over the environment, which wins over the file, which wins over the default', () => {
  const flags = { network: 'by-flag' }
  const env = { PEERAGE_NETWORK: 'by-environment', PEERAGE_HTTP: '127.0.0.1:1' }
  const file = { network: 'by-file', http: '127.0.0.1:2', log_level: 'warn' }
  const { settings, origins } = resolve({ flags, env, file })
  expect([settings.network, settings.http, settings.log_level, settings.offline]).toEqual([
    'by-flag',
    '127.0.0.1:1',
    'warn',
    false,
  ])
  expect([origins.network, origins.http, origins.log_level, origins.offline]).toEqual([
    'flag',
    'environment',
    'file',
    'default',
  ])
})

test('an unknown setting in the file is an error that names the nearest one', () => {
  expect(() => resolve({ file: { tokenfile: 'x' }, path: 'my.yaml' })).toThrow(
    'my.yaml: unknown setting tokenfile; did you mean token_file?',
  )
  expect(() => resolve({ file: { zebra: 1 } })).toThrow(/unknown setting zebra$/)
})

test('an unknown variable warns, and one that Kubernetes sets for a service of our name does not', () => {
  const { warnings } = resolve({
    env: { PEERAGE_NETWROK: 'x', PEERAGE_PORT: 'tcp://10.0.0.1:7070', PEERAGE_SERVICE_HOST: 'x' },
  })
  expect(warnings).toEqual(['unknown environment variable PEERAGE_NETWROK; did you mean PEERAGE_NETWORK?'])
})

test('lists come with commas from the environment, as lists from flags and the file', () => {
  expect(resolve({ env: { PEERAGE_JOIN: '/ip4/1.2.3.4/tcp/1, /ip4/1.2.3.4/tcp/2' } }).settings.join).toEqual([
    '/ip4/1.2.3.4/tcp/1',
    '/ip4/1.2.3.4/tcp/2',
  ])
  expect(resolve({ flags: { join: ['/a', '/b'] } }).settings.join).toEqual(['/a', '/b'])
  expect(() => resolve({ file: { join: [1] } })).toThrow(ConfigError)
})

test('a switch is true or false in the usual words, and nothing else', () => {
  for (const word of ['1', 'true', 'yes', 'on'])
    expect(resolve({ env: { PEERAGE_OFFLINE: word } }).settings.offline).toBe(true)
  for (const word of ['0', 'false', 'no', 'off'])
    expect(resolve({ env: { PEERAGE_MDNS: word } }).settings.mdns).toBe(false)
  expect(() => resolve({ env: { PEERAGE_MDNS: 'maybe' } })).toThrow('PEERAGE_MDNS: expected true or false, got maybe')
})

test('an address needs a host and a port', () => {
  expect(splitHostPort('127.0.0.1:0')).toEqual({ host: '127.0.0.1', port: 0 })
  expect(splitHostPort('[::1]:7070')).toEqual({ host: '::1', port: 7070 })
  for (const wrong of ['7070', '127.0.0.1', 'host:70707', ':1', '::1:80', 'a b:1']) {
    expect(() => splitHostPort(wrong), wrong).toThrow(ConfigError)
  }
})

test('a named file must be there and be YAML; the one in the usual place may be missing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'peerage-config-'))
  try {
    const path = join(folder, 'config.yaml')
    await expect(loadSettings({ config: path }, {})).rejects.toThrow(ConfigError)
    await writeFile(path, 'network: from-file\njoin:\n  - /ip4/1.2.3.4/tcp/1\n')
    const { settings } = await loadSettings({ config: path }, {})
    expect([settings.network, settings.join]).toEqual(['from-file', ['/ip4/1.2.3.4/tcp/1']])
    expect((await loadSettings({}, { PEERAGE_CONFIG: path })).settings.network).toBe('from-file')
    await writeFile(path, 'network: [')
    await expect(loadSettings({ config: path }, {})).rejects.toThrow(ConfigError)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('no secret is a setting', () => {
  expect(Object.keys(SETTINGS).filter((name) => /^(token|key|secret|seed|password)$/.test(name))).toEqual([])
})

test('what is in every object is no setting', () => {
  expect(() => resolve({ file: { constructor: 1 } })).toThrow(/unknown setting constructor/)
})

test('the schema that is shipped is the one of the settings, and their defaults meet it', async () => {
  const shipped = await readFile(new URL('../../scripts/deploy/config.schema.json', import.meta.url), 'utf8')
  expect(JSON.parse(shipped), 'npm run -s peerage -- config --schema > scripts/deploy/config.schema.json').toEqual(
    JSON.parse(JSON.stringify(configSchema())),
  )
  const check = fromJSONSchema(configSchema() as never)
  const defaults = Object.entries(SETTINGS).filter(([, { default: usual }]) => usual !== undefined)
  expect(check.safeParse(Object.fromEntries(defaults.map(([name, setting]) => [name, setting.default]))).success).toBe(
    true,
  )
  for (const wrong of [{ htpp: 'x' }, { rate_limit: -1 }, { listen: 'x' }, { log_level: 'loud' }, { url: 'x' }]) {
    expect(check.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false)
  }
})

test('the configuration that is shipped as an example meets the schema and is taken', async () => {
  const path = fileURLToPath(new URL('../../scripts/deploy/config.yaml', import.meta.url))
  const { settings, file } = await loadSettings({ config: path }, {})
  expect(file).toBe(path)
  expect(settings.trusted_proxies).toEqual(['127.0.0.1'])
  expect(fromJSONSchema(configSchema() as never).safeParse(parse(await readFile(path, 'utf8'))).success).toBe(true)
})

test('a secret in a variable is not taken, and the variable for a file with it is named', () => {
  expect(resolve({ env: { PEERAGE_TOKEN: 'secret' } }).warnings).toEqual([
    'unknown environment variable PEERAGE_TOKEN; a secret stays in a file, and PEERAGE_TOKEN_FILE names it',
  ])
  const env = { PEERAGE_TOKEN_FILE: '/run/secrets/token', PEERAGE_KEY_FILE: '/run/secrets/key' }
  expect(resolve({ env }).settings).toMatchObject({ token_file: '/run/secrets/token', key_file: '/run/secrets/key' })
})
