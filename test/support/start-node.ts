/**
 * Starts a node as a user does, as a process of its own, and ends it by its pid. For tests and for the programs here
 * that print figures.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

export type StartOptions = {
  readonly data: string
  readonly offline?: boolean
  /** Multiaddr to listen on; a free loopback port unless offline. */
  readonly listen?: string
  readonly join?: readonly string[]
  readonly network?: string
  /** host:port; a free loopback port unless given. */
  readonly http?: string
  readonly more?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export type Running = AsyncDisposable & {
  readonly http: string
  readonly peerId: string | undefined
  readonly multiaddrs: readonly string[]
  readonly token: string
  readonly process: ChildProcess
  /** Everything the node wrote to stderr so far. */
  log(): string
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
}

const bin = resolve(import.meta.dirname, '../../src/bin.js')

/** Resolves when the node has printed its one line of JSON; rejects with its stderr when it ends before. */
export async function startNode(options: StartOptions): Promise<Running> {
  const args = [bin, 'start', '--json', '--data', options.data, '--http', options.http ?? '127.0.0.1:0', '--no-mdns']
  if (options.offline) args.push('--offline')
  else args.push('--listen', options.listen ?? '/ip4/127.0.0.1/tcp/0')
  for (const address of options.join ?? []) args.push('--join', address)
  if (options.network !== undefined) args.push('--network', options.network)
  const child = spawn(process.execPath, [...args, ...(options.more ?? [])], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-100_000)
  })
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)))
  const line = await firstLine(child, exited, () => stderr)
  const facts = JSON.parse(line) as { http: string; peer_id?: string; multiaddrs: string[]; token_file: string }
  const token = (await readFile(facts.token_file ?? join(options.data, 'token'), 'utf8')).trim()
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    return exited
  }
  return {
    http: facts.http,
    peerId: facts.peer_id,
    multiaddrs: facts.multiaddrs,
    token,
    process: child,
    log: () => stderr,
    stop,
    kill: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await exited
    },
    [Symbol.asyncDispose]: async () => {
      await stop()
    },
  }
}

function firstLine(child: ChildProcess, exited: Promise<number | null>, stderr: () => string): Promise<string> {
  return new Promise((done, fail) => {
    let text = ''
    child.stdout?.setEncoding('utf8').on('data', (more: string) => {
      text += more
      const end = text.indexOf('\n')
      if (end >= 0) done(text.slice(0, end))
    })
    exited.then((code) => fail(new Error(`the node ended with ${code} before it was ready:\n${stderr()}`)))
  })
}
