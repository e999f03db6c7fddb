/** The commands as a person runs them, against a node of its own process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Command, commandOn } from '../support/command.ts'
import { type Running, startNode } from '../support/start-node.ts'

const root = resolve(import.meta.dirname, '../..')
const bin = join(root, 'src/bin.js')
let folder: string
let node: Running
let peerage: Command

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-cli-'))
  peerage = await commandOn(join(folder, 'data'), join(folder, 'config'))
  node = await startNode({ data: join(folder, 'data'), offline: true })
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function file(name: string, text: string | Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

// biome-ignore lint/suspicious/noExplicitAny: what a command prints is looked at member by member
const json = async <T = Record<string, any>>(args: readonly string[]): Promise<T> => {
  const { code, stdout, stderr } = await peerage([...args, '--json'])
  expect([code, stderr]).toEqual([0, expect.anything()])
  return JSON.parse(stdout) as T
}

test('publish puts good entries in and lists bad ones with file, line and field', async () => {
  const path = await file(
    'many.yaml',
    'kind: agent\nname: First\ntags: [a]\n---\nkind: model\nname: Second\nparameters: many\n---\nkind: agnet\nname: Third\n---\nname: Fourth\nkind: tool\n',
  )
  const first = await peerage(['publish', path])
  expect(first.code).toBe(0)
  expect(first.lines.map((line) => line.replace(/^[0-9a-f]{64} +/, ''))).toEqual([
    'created    agent/First',
    'created    tool/Fourth',
  ])
  expect(first.stderr).toContain(`${path}:7: /parameters: expected a whole number`)
  expect(first.stderr).toContain(`${path}:9: /kind: unknown kind agnet; did you mean agent?`)
  expect((await peerage(['publish', path])).lines.every((line) => line.includes('unchanged'))).toBe(true)
  expect((await peerage(['publish', path, '--strict'])).code).toBe(1)
})

test('publish reads standard input, checks only with --dry-run, and leaves with 1 when nothing went in', async () => {
  const entry = JSON.stringify({ kind: 'agent', name: 'Piped' })
  expect(await peerage(['publish', '-', '--dry-run'], { stdin: entry })).toMatchObject({ code: 0, stdout: '' })
  expect((await peerage(['get', 'agents/Piped'])).code).toBe(3)
  expect((await peerage(['publish', '-', '-q'], { stdin: entry })).stdout).toMatch(/^[0-9a-f]{64}\n$/)
  expect((await peerage(['publish', '-'], { stdin: '{"kind":"agent"}' })).code).toBe(1)
  expect((await peerage(['publish', join(folder, 'nowhere')])).code).toBe(3)
})

test('what init prints can be published', async () => {
  const { stdout, code } = await peerage(['init', 'service'])
  expect(code).toBe(0)
  expect((await peerage(['publish', '-'], { stdin: stdout })).code).toBe(0)
  const near = await peerage(['init', 'servce'])
  expect([near.code, near.stderr]).toEqual([2, expect.stringContaining('did you mean service?')])
})

test('get, set, diff, history, heads, delete: the life of a record', async () => {
  await peerage(['publish', '-'], {
    stdin: JSON.stringify({ kind: 'agent', slug: 'acme/bot', name: 'Bot', version: '1', tags: ['a'] }),
  })
  const { id } = await json(['get', 'agents/acme/bot'])
  expect((await peerage(['get', 'agent/acme/bot', '-q'])).stdout).toBe(`${id}\n`)
  expect((await peerage(['get', id])).stdout).toContain('slug: acme/bot\n')
  expect((await json(['get', `${node.http}/v1/agents/${id}`])).id).toBe(id)

  const set = await peerage(['set', id, 'version=2', 'tags=["a","b"]', 'resource_requirements.min_vcpus=4', '--json'])
  expect(JSON.parse(set.stdout)).toMatchObject({
    version: '2',
    tags: ['a', 'b'],
    resource_requirements: { min_vcpus: 4 },
  })
  expect((await peerage(['set', id, 'version=3', '--dry-run'])).stdout).toBe('{"version":"3"}\n')
  expect((await peerage(['set', id, '--unset', 'tags'])).code).toBe(0)
  expect(await json(['get', id])).not.toHaveProperty('tags')
  const wrong = await peerage(['set', id, 'downloads=many'])
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('/downloads')])

  const history = (await peerage(['history', id, '--json'])).lines.map(
    (line) => JSON.parse(line) as { op: string; type: string },
  )
  expect(history.map(({ type }) => type)).toEqual(['patch', 'patch', 'genesis'])
  expect((await peerage(['history', id, '-q', '--limit', '1'])).stdout).toBe(`${history[0]?.op}\n`)
  expect(await json(['diff', id])).toMatchObject({ changes: [{ pointer: '/tags', before: ['a', 'b'] }] })
  const [newest, , oldest] = history.map(({ op }) => op)
  const whole = await json(['diff', id, `${oldest}..${newest}`])
  expect(whole['changes']).toEqual([
    { pointer: '/resource_requirements', after: { min_vcpus: 4 } },
    { pointer: '/tags', before: ['a'] },
    { pointer: '/version', before: '1', after: '2' },
  ])
  expect((await peerage(['diff', id, oldest as string])).stdout).toContain('/name\n+ Bot\n')
  expect((await peerage(['diff', id, 'nonsense'])).code).toBe(2)
  expect((await json(['heads', id])).heads).toEqual([newest])

  expect((await peerage(['delete', id, '--dry-run'])).stdout).toBe(`${id}\n`)
  expect((await peerage(['delete', id])).code).toBe(0)
  expect((await peerage(['get', id])).code).toBe(3)
  expect((await peerage(['delete', id])).code).toBe(3)
  expect((await peerage(['history', id, '-q'])).lines).toHaveLength(4)
})

test('edit publishes what was changed in the editor, and keeps the text when somebody was faster', async () => {
  await peerage(['publish', '-'], { stdin: JSON.stringify({ kind: 'agent', name: 'Edited', version: '1' }) })
  const editor = await file('editor.sh', '#!/bin/sh\nsed -i "s/version: .*/version: \\"$2\\"/" "$3"\n')
  await chmod(editor, 0o755)
  const edited = await peerage(['edit', 'agents/Edited', '--json'], { env: { EDITOR: `${editor} --to 2` } })
  expect([edited.code, edited.stderr]).toEqual([0, ''])
  expect(JSON.parse(edited.stdout)).toMatchObject({ name: 'Edited', version: '2' })
  expect((await peerage(['edit', 'agents/Edited'], { env: { EDITOR: 'true' } })).stderr).toContain(
    'nothing was changed',
  )
  expect((await peerage(['edit', 'agents/Edited'])).code).toBe(2)

  const { id } = await json(['get', 'agents/Edited'])
  const patch = `fetch("${node.http}/v1/agents/${id}", { method: "PATCH", headers: { authorization: "Bearer ${node.token}", "content-type": "application/merge-patch+json" }, body: '{"license":"MIT"}' })`
  const racing = await file(
    'racing.sh',
    `#!/bin/sh\n${editor} --to 3 "$1"\n${process.execPath} -e '${patch.replaceAll("'", `'\\''`)}'\n`,
  )
  await chmod(racing, 0o755)
  const lost = await peerage(['edit', 'agents/Edited'], { env: { EDITOR: racing } })
  expect(lost.code).toBe(5)
  const kept = /kept in (\S+)/.exec(lost.stderr)?.[1] as string
  expect(await readFile(kept, 'utf8')).toContain('version: "3"')
  expect(await json(['get', id])).toMatchObject({ version: '2', license: 'MIT' })
  await rm(join(kept, '..'), { recursive: true })
})

test('a key of one’s own signs on this side, in a namespace of its own', async () => {
  const made = await peerage(['keys', 'new', 'alice'])
  const did = made.stdout.trim()
  expect(did).toMatch(/^did:key:z6Mk/)
  expect((await peerage(['keys', 'show', 'alice'])).stdout.trim()).toBe(did)
  expect((await peerage(['keys', 'list', '-q'])).lines).toEqual([did])
  expect((await peerage(['keys', 'new', 'alice'])).code).toBe(1)
  const key = join(process.env['XDG_CONFIG_HOME'] as string, 'peerage-nodejs/keys/alice.json')

  const publish = (version: string) =>
    peerage(['publish', '-', '--key', 'alice'], {
      stdin: JSON.stringify({ kind: 'agent', name: 'Hers', version }),
      env: { PEERAGE_TOKEN_FILE: '' },
    })
  expect((await publish('1')).stdout).toContain('created')
  expect((await publish('2')).stdout).toContain('merged')
  expect((await publish('2')).stdout).toContain('unchanged')
  expect(await json(['get', `agents/${did}/Hers`])).toMatchObject({ owner_id: did, version: '2' })
  expect((await json(['get', 'agents/Hers', '--key', key]))['owner_id']).toBe(did)
  expect((await peerage(['set', 'agents/Hers', 'version=3', '--key', 'alice'])).code).toBe(0)
  const own = await peerage(['set', `agents/${did}/Hers`, 'version=4'])
  expect([own.code, own.stderr]).toEqual([4, expect.stringContaining('peerage: ')])
  const unknown = await peerage(['get', 'agents/Hers'])
  expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining(`agent/${did}/Hers`)])
  await chmod(key, 0o644)
  expect((await publish('5')).code).toBe(4)
})

test('import stores every entry that has a name, lists the others, and a second run changes nothing', async () => {
  const entries = [
    { kind: 'tool', name: 'alpha', owner: 'acme', description: 'first', _source: { source: 'a', path: '1' } },
    { kind: 'tool', name: '', owner: 'acme' },
    ...Array.from({ length: 1200 }, (_, i) => ({ kind: 'model', name: `m ${i}`, parameters: i })),
  ]
  const one = await file(
    'one.jsonl.gz',
    gzipSync(`${entries.map((entry) => JSON.stringify(entry)).join('\n')}\nnot json\n`),
  )
  const two = await file(
    'two.jsonl',
    JSON.stringify({
      kind: 'tool',
      name: 'alpha',
      owner: 'acme',
      description: 'second',
      version: '1',
      _source: { source: 'b', path: '2' },
    }),
  )
  const first = await peerage(['import', one, two, '--json'])
  expect(first.code).toBe(0)
  expect(JSON.parse(first.stdout)).toMatchObject({
    entries: 1204,
    records: 1201,
    stored: 1201,
    created: 1201,
    refused: 2,
    kinds: { tool: { created: 1 }, model: { created: 1200 } },
    refusals: [
      { file: one, line: 2, reason: 'the name is blank' },
      { file: one, line: 1203 },
    ],
  })
  expect(first.stderr).toContain(`${one}:2: refused`)
  expect(await json(['get', 'tools/acme/alpha'])).toMatchObject({
    provider: 'acme',
    description: 'first',
    version: '1',
    provenance: [
      { source: 'a', path: '1' },
      { source: 'b', path: '2', other: { description: 'second' } },
    ],
  })
  const before = (await json(['status'])).root
  const second = await peerage(['import', one, two])
  expect(second.lines.at(-1)).toMatch(
    /^1,201 records of 1,204 entries: 0 created, 0 merged, 1,201 unchanged, 2 refused; .* records\/s$/,
  )
  expect((await json(['status'])).root).toBe(before)
  expect((await peerage(['import', one, '--strict'])).code).toBe(1)
  expect((await peerage(['import', await file('none.jsonl', '{"kind":"tool"}\n')])).code).toBe(1)
  expect((await peerage(['import', join(folder, 'nowhere.jsonl')])).code).toBe(3)
})

test('import with a key signs on this side', async () => {
  await peerage(['keys', 'new', 'importer'])
  const path = await file(
    'keyed.jsonl',
    Array.from({ length: 260 }, (_, i) => JSON.stringify({ kind: 'persona', name: `p ${i}` })).join('\n'),
  )
  expect(JSON.parse((await peerage(['import', path, '--key', 'importer', '--json'])).stdout)).toMatchObject({
    created: 260,
    refused: 0,
  })
  expect(JSON.parse((await peerage(['import', path, '--key', 'importer', '--json'])).stdout)).toMatchObject({
    created: 0,
    unchanged: 260,
  })
})

test('search, list and export find what is there', async () => {
  await peerage(['publish', '-'], {
    stdin: JSON.stringify({ kind: 'workflow', name: 'Zanzibar ferry', version: '7', tags: ['sea', 'boat'] }),
  })
  const found = await json(['search', 'zanzibar', '--facets', 'tags'])
  expect(found).toMatchObject({ total: 1, items: [{ record: { name: 'Zanzibar ferry' } }] })
  expect((await peerage(['search', 'zanzibar', '--kind', 'tool', '-q'])).stdout).toBe('')
  expect((await peerage(['search', '--where', 'tags=sea', '--where', 'tags=boat', '-q'])).lines).toHaveLength(1)
  expect((await peerage(['list', 'workflows', '--where', 'version=7', '-q'])).lines).toHaveLength(1)
  expect((await peerage(['search', '--kind', 'workflow', '--where', 'version=7', '-q'])).lines).toHaveLength(1)
  expect((await peerage(['export', '--where', 'version = 7 and not name contains x', '-q'])).lines).toHaveLength(1)
  const page = await peerage(['list', 'models', '--limit', '5', '-q'])
  expect([page.lines.length, page.stderr]).toEqual([5, expect.stringContaining('--cursor')])
  expect(new Set((await peerage(['list', 'models', '--all', '-q'])).lines).size).toBe(1200)
  expect((await peerage(['list', 'workfows'])).stderr).toContain('did you mean workflows?')

  const path = join(folder, 'out.jsonl.gz')
  expect((await peerage(['export', '--kind', 'workflow', '--out', path])).code).toBe(0)
  const lines = gunzipSync(await readFile(path))
    .toString()
    .trim()
    .split('\n')
  expect(lines.map((line) => (JSON.parse(line) as { name: string }).name)).toEqual(['Zanzibar ferry'])
  const again = await peerage(['publish', '-', '--json'], { stdin: lines.join('\n') })
  expect(JSON.parse(again.stdout)).toMatchObject({ outcome: 'unchanged' })
})

test('a filter that cannot be understood is shown with its place', async () => {
  for (const command of [['search', 'sea'], ['list', 'workflows'], ['export']]) {
    const ran = await peerage([...command, '--where', 'version = 7 and lisence = mit'])
    expect([ran.code, ran.stdout]).toEqual([2, ''])
    expect(ran.stderr).toContain('did you mean license?')
    expect(ran.stderr).toContain(`\n  version = 7 and lisence = mit\n${' '.repeat(18)}^\n`)
  }
  const two = await peerage(['search', '--where', 'version = 7', '--where', 'tags ='])
  expect(two.stderr).toContain(`\n  (version = 7) and (tags =)\n${' '.repeat(27)}^\n`)
})

test('a search is kept, followed from where it was kept or from any place, and forgotten', async () => {
  const kept = await peerage(['search', 'ferry', '--kind', 'workflow', '--where', 'license = mit', '--save', 'ferries'])
  expect([kept.code, kept.stdout, kept.stderr]).toEqual([0, '', expect.stringContaining('--follow ferries')])
  expect((await peerage(['searches', 'list'])).stdout).toMatch(/^ferries +workflow "ferry" license = mit\n$/)
  expect((await peerage(['search', 'boat', '--save', 'ferries'])).code).toBe(5)
  expect((await peerage(['search', '--where', 'lisence = mit', '--save', 'x'])).code).toBe(2)

  const publish = (doc: object) => peerage(['publish', '-'], { stdin: JSON.stringify({ kind: 'workflow', ...doc }) })
  await publish({ name: 'Fast ferry', license: 'mit' })
  await publish({ name: 'Slow ferry', license: 'isc' })
  await peerage(['set', 'workflow/Fast ferry', 'license=isc'])
  const once = async (...args: string[]) => (await peerage(['search', '--once', '--json', ...args])).lines
  const told = (lines: string[]) =>
    lines.filter(Boolean).map((line) => {
      const { match, name } = JSON.parse(line) as { match: string; name: string }
      return `${match} ${name}`
    })
  const lines = await once('--follow', 'ferries')
  expect(told(lines)).toEqual(['new Fast ferry', 'gone Fast ferry'])
  const { seq } = JSON.parse(lines[0] as string) as { seq: number }
  expect(told(await once('--follow', 'ferries', '--since', String(seq)))).toEqual(['gone Fast ferry'])
  expect(told(await once('ferry', '--follow', '--since', String(seq - 1)))).toEqual([
    'new Fast ferry',
    'new Slow ferry',
    'changed Fast ferry',
  ])
  expect((await peerage(['search', '--follow', 'nobody', '--once'])).code).toBe(3)
  expect((await peerage(['search', 'ferry', '--follow', 'ferries', '--once'])).code).toBe(2)
  expect((await peerage(['searches', 'delete', 'ferries'])).code).toBe(0)
  expect((await peerage(['searches', 'list', '-q'])).stdout).toBe('')
})

test('a search that is followed tells what comes', async () => {
  const child = spawn(process.execPath, [bin, 'search', 'dhow', '--follow', '--data', join(folder, 'data')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more
  })
  // It tells from when it begins on, which only it knows: until it has told one.
  for (let n = 0; !text.includes('\n'); n++) {
    await peerage(['publish', '-'], { stdin: JSON.stringify({ kind: 'tool', name: `Dhow ${n}` }) })
  }
  child.kill('SIGINT')
  await exited
  expect(text).toMatch(/^new {6}[0-9a-f]{64} {2}tool\/Dhow \d+ {2}\d+\n/)
})

test('fields lists what there is to filter by', async () => {
  const ran = await peerage(['fields', 'workflow'])
  expect(ran.code).toBe(0)
  expect(ran.lines.find((line) => line.startsWith('tags '))).toMatch(/list +1 +boat 1, sea 1$/)
  expect(ran.stderr).toContain('no record has')
  expect((await peerage(['fields', '-q'])).lines).toEqual(expect.arrayContaining(['kind', 'tags', 'parameters']))
  const [first] = (await peerage(['fields', 'workflows', '--json'])).lines
  expect(JSON.parse(first as string)).toMatchObject({ name: expect.any(String), records: expect.any(Number) })
})

test('status and peers tell how the node is', async () => {
  const status = await json(['status'])
  expect(status).toMatchObject({ network: 'peerage', did: expect.stringContaining('did:key:'), peers: [] })
  expect((await peerage(['status', '-q'])).stdout.trim()).toBe(status['root'])
  expect(await peerage(['peers'])).toMatchObject({ code: 0, stdout: '' })
})

test('--url and --token-file reach a node whose folder is elsewhere; without the token writes are refused', async () => {
  const env = { PEERAGE_DATA: '', XDG_DATA_HOME: folder }
  expect((await peerage(['status', '-q', '--url', node.http], { env })).code).toBe(0)
  const entry = { stdin: JSON.stringify({ kind: 'agent', name: 'By URL' }) }
  expect((await peerage(['publish', '-', '--url', node.http], { ...entry, env })).code).toBe(4)
  const token = join(folder, 'data/token')
  expect(
    (await peerage(['publish', '-'], { ...entry, env: { ...env, PEERAGE_URL: node.http, PEERAGE_TOKEN_FILE: token } }))
      .code,
  ).toBe(0)
})

test('says when no node runs, what was misspelt, and what a flag expects', async () => {
  const none = await peerage(['status', '--data', join(folder, 'empty')])
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('peerage start --data')])
  const misspelt = await peerage(['serach'])
  expect([misspelt.code, misspelt.stderr]).toEqual([2, expect.stringContaining('Did you mean search?')])
  expect((await peerage(['search', '--limit', 'x'])).code).toBe(2)
  expect((await peerage(['get', 'nonsense'])).code).toBe(2)
  expect((await peerage(['get', 'ab'.repeat(32)])).code).toBe(3)
  expect((await peerage(['set', 'agents/First'])).code).toBe(2)
  expect((await peerage(['status', '--config', join(folder, 'none.yaml')])).code).toBe(2)
  expect((await peerage(['--help'])).stdout).toContain('Exit codes: 0 ok')
})

test('the settings say where they come from, and shells get a script', async () => {
  const { stdout } = await peerage(['config', '--origin'], { env: { PEERAGE_NETWORK: 'mine' } })
  expect(stdout).toMatch(/network +mine +\(environment PEERAGE_NETWORK\)/)
  for (const shell of ['bash', 'zsh', 'fish'])
    expect((await peerage(['completion', shell])).stdout).toContain('publish')
  expect((await peerage(['completion', 'tcsh'])).code).toBe(2)
})

test('help and a read load nothing of a node', async () => {
  const hooks =
    'import { registerHooks } from "node:module"; registerHooks({ resolve: (name, context, next) => { const found = next(name, context); process.stderr.write(found.url + "\\n"); return found } })'
  for (const args of [['--help'], ['status', '--url', node.http]]) {
    const child = spawn(process.execPath, [
      '--import',
      `data:text/javascript,${encodeURIComponent(hooks)}`,
      bin,
      ...args,
    ])
    let urls = ''
    child.stderr.on('data', (chunk) => {
      urls += chunk
    })
    child.stdout.resume()
    expect((await once(child, 'close'))[0]).toBe(0)
    expect(urls).toContain('/commander/')
    expect(urls).not.toMatch(/\/(libp2p|level|pino|hono)\//)
    expect(urls).not.toContain(`${pathToFileURL(join(root, 'node'))}/`)
  }
})

test('ends quietly when its reader has seen enough', async () => {
  const env = { ...process.env, PEERAGE_DATA: join(folder, 'data') }
  const list = spawn(process.execPath, [bin, 'list', 'models', '--all'], { env })
  let stderr = ''
  list.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  await once(list.stdout, 'data')
  list.stdout.destroy()
  expect((await once(list, 'exit'))[0]).toBe(0)
  expect(stderr).toBe('')
})

test('an old Node is told what is needed, by a file that it can read', async () => {
  const script = `Object.defineProperty(process.versions, 'node', { value: '12.22.0' }); import(${JSON.stringify(pathToFileURL(bin))})`
  const child = spawn(process.execPath, ['-e', script])
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  expect((await once(child, 'close'))[0]).toBe(1)
  expect(stderr).toContain('peerage needs Node >= 22.18, this is 12.22.0')
  // Nothing that is younger than Node 12: it could not say so.
  expect(await readFile(bin, 'utf8')).not.toMatch(/\?\.|\?\?|\bawait\b|#[a-z]+[ (]|&&=|\|\|=/)
})
