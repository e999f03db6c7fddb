/**
 * Dockerfile and compose file. No container engine is needed, and none is used: the files are read, what they copy has
 * to be there, and the commands they give are run by hand in folders of their own, with the same environment, as three
 * nodes that come to the same root. That the images build, only an engine can show.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { freePorts } from '../../support/free-ports.ts'

const root = resolve(import.meta.dirname, '../../..')
const deploy = join(root, 'scripts/deploy')

type Instruction = { readonly name: string; readonly rest: string }
type Service = { command: string[]; ports: string[]; volumes: string[]; read_only: boolean; cap_drop: string[] }

let dockerfile: readonly Instruction[]
let compose: { services: Record<string, Service>; volumes: Record<string, unknown> }
let folder: string

beforeAll(async () => {
  dockerfile = instructions(await readFile(join(deploy, 'Dockerfile'), 'utf8'))
  compose = parse(await readFile(join(deploy, 'compose.yaml'), 'utf8'), { merge: true })
  folder = await mkdtemp(join(tmpdir(), 'peerage-container-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** Comments and empty lines away, continued lines together. */
function instructions(text: string): Instruction[] {
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line))
  const whole = lines.join('\n').replace(/\\\n\s*/g, '')
  return whole.split('\n').map((line) => {
    const [, name = '', rest = ''] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? []
    return { name, rest }
  })
}

const all = (name: string) => dockerfile.filter((each) => each.name === name).map(({ rest }) => rest)
const last = (name: string) => all(name).at(-1) ?? ''

test('the Dockerfile is made of instructions there are, all in exec form, and copies what is there', () => {
  const known = 'FROM WORKDIR COPY RUN ENV USER VOLUME EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD'.split(' ')
  expect(dockerfile.filter(({ name }) => !known.includes(name))).toEqual([])
  for (const name of ['RUN', 'ENTRYPOINT', 'CMD']) {
    for (const rest of all(name)) expect(JSON.parse(rest), rest).toBeInstanceOf(Array)
  }
  const stages = all('FROM').flatMap((rest) => / AS (\w+)$/.exec(rest)?.[1] ?? [])
  for (const rest of all('COPY')) {
    const [, stage, files = ''] = /^(?:--from=(\w+) )?(.*)$/.exec(rest) ?? []
    if (stage !== undefined) expect(stages).toContain(stage)
    // Of another stage come what the steps before have made; all others lie in the checkout.
    else for (const file of files.split(' ').slice(0, -1)) expect(existsSync(join(root, file)), file).toBe(true)
  }
  const { scripts, workspaces } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect(scripts).toHaveProperty('package')
  for (const workspace of workspaces) expect(all('COPY').join('\n')).toContain(`${workspace}/package.json`)
})

test('it runs node itself, as nobody special', () => {
  expect(JSON.parse(last('ENTRYPOINT'))).toEqual(['node', '/app/src/bin.js'])
  expect(last('USER')).toBe('1000:1000')
  expect(JSON.parse(last('CMD'))[0]).toBe('start')
  expect(last('VOLUME')).toBe('/data')
})

test('the compose file names volumes and ports that there are, and each root is read-only', () => {
  const { services, volumes } = compose
  expect(Object.keys(services)).toHaveLength(3)
  const published = Object.values(services).flatMap(({ ports }) => ports)
  expect(new Set(published.map((port) => port.replace(/:\d+$/, ''))).size).toBe(3)
  for (const [name, service] of Object.entries(services)) {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
    expect(service.volumes).toEqual([`${name}:/data`])
    expect(volumes).toHaveProperty(name)
    for (const port of service.ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:7070$/)
  }
})

test('its three commands, run by hand, are three healthy nodes with one root, and each ends cleanly', async () => {
  const [entry, bin] = JSON.parse(last('ENTRYPOINT')) as [string, string]
  expect([entry, bin]).toEqual(['node', '/app/src/bin.js'])
  const environment = Object.fromEntries(
    last('ENV')
      .split(' ')
      .map((pair) => pair.split(/=(.*)/)),
  )
  const names = Object.keys(compose.services)
  const ports = await freePorts(2 * names.length)
  const portOf = (name: string, of: 'http' | 'peers') => ports[2 * names.indexOf(name) + (of === 'http' ? 0 : 1)]!
  // What containers have for themselves: a folder, and ports under a name of their own.
  const here = (name: string, argument: string) =>
    argument
      .replace(/^\/data$/, join(folder, name))
      .replace('0.0.0.0:7070', `127.0.0.1:${portOf(name, 'http')}`)
      .replace('/ip4/0.0.0.0/tcp/7071', `/ip4/127.0.0.1/tcp/${portOf(name, 'peers')}`)
      .replace(/\/dns4\/(\w+)\/tcp\/7071/, (_, other) => `/dns4/localhost/tcp/${portOf(other, 'peers')}`)
  const nodes = names.map((name) => {
    const command = compose.services[name]!.command.map((argument) => here(name, argument))
    return spawn(process.execPath, [join(root, 'src/bin.js'), ...command], {
      stdio: 'ignore',
      env: { PATH: process.env['PATH'], HOME: folder, ...environment, NODE_COMPILE_CACHE: join(folder, 'cache') },
    })
  })
  const ended = nodes.map((node) => new Promise((done) => node.once('exit', done)))
  try {
    const [, check = '[]'] = /CMD (\[.*\])$/.exec(last('HEALTHCHECK')) ?? []
    const [program, ...args] = JSON.parse(check) as string[]
    expect(program).toBe('node')
    const isHealthy = (name: string) => {
      const asked = args.map((argument) => argument.replace('127.0.0.1:7070', `127.0.0.1:${portOf(name, 'http')}`))
      return new Promise((done) =>
        spawn(process.execPath, asked, { stdio: 'ignore' }).once('exit', (code) => done(code === 0)),
      )
    }
    for (const name of names) await until(async () => isHealthy(name))
    const status = async (name: string) => (await fetch(`http://127.0.0.1:${portOf(name, 'http')}/v1/status`)).json()
    await until(async () => {
      const all = await Promise.all(names.map(status))
      return all[0].ops > 50 && new Set(all.map(({ root }) => root)).size === 1
    })
  } finally {
    for (const node of nodes) node.kill('SIGTERM')
  }
  expect(await Promise.all(ended)).toEqual([0, 0, 0])
})

async function until(isSo: () => Promise<unknown>): Promise<void> {
  while (!(await isSo())) await new Promise((done) => setTimeout(done, 100))
}
