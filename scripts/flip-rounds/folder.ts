/** A data folder as a node leaves it that has been in use, and a peer that holds the same. */
import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Kind, kinds } from '../../crdt/index.ts'
import { httpBatchLinesMax } from '../../node/index.ts'
import { type Item, madeItems } from '../../test/support/catalogue-items.ts'
import { type Running, startNode } from '../../test/support/start-node.ts'
import { later } from './answers.ts'

const bin = resolve(import.meta.dirname, '../../src/bin.js')

export type Made = {
  readonly peer: Running
  readonly kind: Kind
  /** A token that may read, of the folder. */
  readonly reader: string
  /** Ids of some records. */
  readonly ids: readonly string[]
}

/** Fills `data` over several starts, so that there are tables, a log, an index and a journal; `peer` runs on. */
export async function makeFolder(data: string, peerData: string, records: number): Promise<Made> {
  const items = madeItems(records)
  {
    await using node = await startNode({ data, offline: true })
    await batch(node, items)
  }
  const { said } = await command(['tokens', 'new', 'reader', '--data', data])
  const reader = /peerage_[\w-]+/.exec(said)?.[0]
  if (reader === undefined) throw new Error(`no token was made: ${said}`)
  {
    await using node = await startNode({ data, offline: true })
    const changed = items.slice(0, records / 3).map((item) => ({ ...item, doc: { ...item.doc, license: 'mit' } }))
    await batch(node, changed)
    await call(node, 'POST', '/v1/searches', { name: 'kept', filters: { provider: 'maker-1' } })
  }
  const peer = await startNode({ data: peerData })
  try {
    await using node = await startNode({ data, join: peer.multiaddrs })
    const kind = kinds[items[0]!.kind]!
    const listed = (await (await fetch(`${node.http}/v1/${kind.plural}?limit=50`)).json()) as {
      items: { id: string }[]
    }
    for (const { id } of listed.items.slice(40)) await call(node, 'DELETE', `/v1/${kind.plural}/${id}`)
    await batch(
      node,
      madeItems(records / 3).map((item) => ({ ...item, slug: `late-${item.slug}` })),
    )
    for (const until = performance.now() + 60_000; (await root(peer)) !== (await root(node)); await later(100))
      if (performance.now() > until) throw new Error('the peer does not come to the same root')
    return { peer, kind, reader, ids: listed.items.slice(30, 44).map(({ id }) => id) }
  } catch (error) {
    await peer.kill()
    throw error
  }
}

/** Paths below `folder`, of files. */
export async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}

/** Runs `peerage` and answers its exit code and all it said. */
export async function command(
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly said: string }> {
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))
  const code = await new Promise<number | null>((done) => child.once('close', done))
  return { code, said }
}

async function batch(node: Running, items: readonly Item[]): Promise<void> {
  for (let at = 0; at < items.length; at += httpBatchLinesMax) {
    const lines = items.slice(at, at + httpBatchLinesMax).map((item) => JSON.stringify(item))
    const answer = await fetch(`${node.http}/v1/batch?lenient=true`, {
      method: 'POST',
      headers: { authorization: `Bearer ${node.token}`, 'content-type': 'application/x-ndjson' },
      body: lines.join('\n'),
    })
    if (!answer.ok || /"refused"/.test(await answer.text())) throw new Error(`a batch was not taken: ${answer.status}`)
  }
}

async function call(node: Running, method: string, path: string, body?: unknown): Promise<void> {
  const answer = await fetch(node.http + path, {
    method,
    headers: { authorization: `Bearer ${node.token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
}

async function root(node: Running): Promise<string | null> {
  return ((await (await fetch(`${node.http}/v1/status`)).json()) as { root: string | null }).root
}
