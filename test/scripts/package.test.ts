/**
 * What goes to npm: built, packed, installed from the tarball into an empty folder as a user does, and run there as
 * JavaScript. The registry that npm is set up with has to answer, or its cache to hold the dependencies.
 */
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const run = promisify(execFile)
let folder: string
let tarball: string
/** The same Node for npx and for what it starts, and nothing of this checkout. */
let env: NodeJS.ProcessEnv

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-package-'))
  const { stdout } = await run(process.execPath, ['scripts/package.ts', '--pack'], { cwd: root })
  tarball = stdout.trim().split('\n').at(-1)!
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((entry) => !entry.startsWith(root))
  env = {
    ...process.env,
    PATH: [dirname(process.execPath), ...path].join(delimiter),
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_DATA_HOME: join(folder, 'data'),
    npm_config_prefer_offline: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
  }
  await writeFile(join(folder, 'package.json'), '{"private":true,"type":"module"}\n')
  await run('npm', ['install', '--ignore-scripts', tarball], { cwd: folder, env })
}, 180_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

const installed = (path: string) => join(folder, 'node_modules/peerage', path)

test('the tarball holds JavaScript with declarations and what the program serves, and no sources', async () => {
  const { stdout } = await run('tar', ['-tzf', tarball])
  const files = stdout.trim().split('\n')
  expect(files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([])
  for (const wanted of [
    'src/bin.js',
    'bundle/cli.js',
    'bundle/LICENSES.txt',
    'src/index.d.ts',
    'crdt/SPEC.md',
    'api/pages/assets/style.css',
    'node/search-worker.js',
    'node/verify-worker.js',
    'README.md',
    'LICENSE',
    'deploy/peerage.service',
  ])
    expect(files).toContain(`package/${wanted}`)
  const { dependencies, devDependencies, scripts } = JSON.parse(await readFile(installed('package.json'), 'utf8'))
  expect({ devDependencies, scripts }).toEqual({})
  expect(dependencies).toEqual(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')).dependencies)
})

test('npx runs it in the folder: a node with pages, workers and search, and commands that find it', async () => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  expect((await run('npx', ['--no-install', 'peerage', '--version'], { cwd: folder, env })).stdout.trim()).toBe(version)
  const args = [installed('src/bin.js'), 'start', '--json', '--sample', '--offline', '--http', '127.0.0.1:0']
  const node = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((done) => node.once('exit', done))
  try {
    const line = await new Promise<string>((done, fail) => {
      node.stdout.setEncoding('utf8').once('data', done)
      node.once('exit', (code) => fail(new Error(`the node ended with ${code}`)))
    })
    const { http } = JSON.parse(line) as { http: string }
    expect(await (await fetch(http, { headers: { accept: 'text/html' } })).text()).toContain('<!doctype html>')
    for (const name of ['htmx.js', 'style.css', 'page.js']) {
      const page = await (await fetch(http, { headers: { accept: 'text/html' } })).text()
      const path = new RegExp(`/[\\w/.-]*${name.replace('.', '[\\w.-]*\\.')}[\\w.?=-]*`).exec(page)?.[0]
      expect(path, name).toBeDefined()
      expect((await fetch(http + path)).status, path).toBe(200)
    }
    // A command that goes into the store as well finds one copy of everything.
    const doctor = await run('npx', ['--no-install', 'peerage', 'doctor'], { cwd: folder, env })
    expect(doctor.stdout).toMatch(/^ok +ops +109 ops/m)
    expect(doctor.stderr).not.toContain('already imported')
    const found = await run('npx', ['--no-install', 'peerage', 'search', 'llama', '-q'], { cwd: folder, env })
    expect(found.stdout.trim().split('\n').length).toBeGreaterThan(1)
  } finally {
    node.kill('SIGTERM')
  }
  expect(await ended).toBe(0)
})

test('a program imports the client with its types', async () => {
  await writeFile(join(folder, 'use.mjs'), "import { Client } from 'peerage'\nconsole.log(typeof Client)\n")
  expect((await run(process.execPath, ['use.mjs'], { cwd: folder, env })).stdout.trim()).toBe('function')
  const use = `import { Client } from 'peerage'
import { encode } from 'peerage/crdt'
const client: Client = new Client({ url: 'http://127.0.0.1:1' })
export const status: Promise<{ version: string }> = client.status()
export const bytes: Uint8Array = encode(1)
// @ts-expect-error There is no such thing, which shows that the types were read.
client.nothing()
`
  await writeFile(join(folder, 'use.ts'), use)
  const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2024', '--types', '']
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  await run(process.execPath, [tsc, ...flags, '--lib', 'esnext,dom', 'use.ts'], { cwd: folder }).catch((error) => {
    throw new Error(error.stdout)
  })
})

test('an older Node is told what is missing', async () => {
  const old = join(folder, 'old.cjs')
  const versions = "{ value: { ...process.versions, node: '20.19.0' } }"
  await writeFile(old, `Object.defineProperty(process, 'versions', ${versions})\n`)
  const bin = installed('src/bin.js')
  const told = await run(process.execPath, ['--require', old, bin, 'status'], { env }).catch((error) => error)
  expect(told).toMatchObject({ code: 1, stdout: '' })
  expect(told.stderr).toContain('needs Node >= 22.18, this is 20.19.0')
})
