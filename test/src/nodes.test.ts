/**
 * What the product is for, tried with real processes: nodes on this machine that join over loopback, part, change on
 * both sides and meet again. With CATALOG_DATA the records are real ones, else made ones.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Client, newKeyFile } from '../../src/index.ts'
import { catalogueItems, type Item, madeItems } from '../support/catalogue-items.ts'
import { type Running, startNode } from '../support/start-node.ts'

const recordCount = 2_000
const changeCount = 100

let folder: string
let items: Item[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-nodes-'))
  const data = process.env['CATALOG_DATA']
  if (data === undefined) console.log('CATALOG_DATA is not set: made records instead of the real catalogue')
  items = data === undefined ? madeItems(recordCount) : spread(await catalogueItems(data), recordCount)
})

afterAll(() => rm(folder, { recursive: true, force: true }))

describe('two nodes on one machine', () => {
  const dataOf = (name: string) => join(folder, name)

  test('an empty node that joins ends with the same root, the same state and the same answers', async () => {
    await using a = await startNode({ data: dataOf('a') })
    await importAll(a, items)
    await using b = await startNode({ data: dataOf('b'), join: a.multiaddrs })
    await untilEqual(a, b)
    const [stateA, stateB] = await Promise.all([stateHash(a), stateHash(b)])
    expect(stateB).toBe(stateA)
    expect(stateA).toMatch(/^[0-9a-f]{64}$/)
    await Promise.all([a, b].map(untilIndexed))
    for (const query of ['the', 'server', 'item', items[7]?.slug ?? '']) {
      expect(await ids(b, query)).toEqual(await ids(a, query))
    }
    const { records } = await status(b)
    expect(sum(records)).toBe(recordCount)
  })

  test('after both have changed apart, only the difference moves', async () => {
    // B gets records of its own, signed with its own key, and shares them.
    const own = madeItems(changeCount).map((item) => ({ ...item, slug: `of-b/${item.slug}` }))
    {
      await using a = await startNode({ data: dataOf('a') })
      await using b = await startNode({ data: dataOf('b'), join: a.multiaddrs })
      await importAll(b, own)
      await untilEqual(a, b)
    }
    {
      await using b = await startNode({ data: dataOf('b'), offline: true })
      await change(b, own, 'changed on B')
    }
    await using a = await startNode({ data: dataOf('a') })
    await change(a, items.slice(0, changeCount), 'changed on A')
    const before = await status(a)
    await using b = await startNode({ data: dataOf('b'), join: a.multiaddrs })
    await untilEqual(a, b)
    const after = await status(b)
    expect(after.ops).toBe(before.ops + changeCount)
    expect(await stateHash(b)).toBe(await stateHash(a))
    const { last } = (await sessionEnded(b)) as {
      last: { bytes_in: number; bytes_out: number; ops_in: number; ops_out: number }
    }
    console.log(
      `delta of 2 x ${changeCount} in ${after.ops} ops: ${last.bytes_in} bytes in for ${last.ops_in} ops, ${last.bytes_out} bytes out for ${last.ops_out} ops`,
    )
    expect(last.bytes_in + last.bytes_out).toBeLessThan(40_000)
  })

  test('one publisher key on two nodes at once: fields merge, and the same field is the same conflict on both', async () => {
    const key = await newKeyFile(join(folder, 'publisher.json'))
    let id: string
    {
      await using a = await startNode({ data: dataOf('a') })
      await using b = await startNode({ data: dataOf('b'), join: a.multiaddrs })
      id = (await new Client({ url: a.http, key }).register('agents', { name: 'night-shift', version: '1.0.0' })).id
      await untilEqual(a, b)
    }
    await using a = await startNode({ data: dataOf('a'), offline: true })
    await new Client({ url: a.http, key }).patch(`agents/${id}`, { license: 'MIT', version: '2.0.0' })
    await a.stop()
    {
      await using b = await startNode({ data: dataOf('b'), offline: true })
      await new Client({ url: b.http, key }).patch(`agents/${id}`, { category: 'operations', version: '3.0.0' })
    }
    await using a2 = await startNode({ data: dataOf('a') })
    await using b2 = await startNode({ data: dataOf('b'), join: a2.multiaddrs })
    await untilEqual(a2, b2)
    const [onA, onB] = await Promise.all([a2, b2].map((node) => read(node, `/v1/agents/${id}`)))
    expect(onB).toEqual(onA)
    expect(onA).toMatchObject({ license: 'MIT', category: 'operations' })
    const conflict = (onA as { conflicts: Record<string, { value: unknown }[]> }).conflicts['/version'] ?? []
    expect(conflict.map(({ value }) => value).sort()).toEqual(['2.0.0', '3.0.0'])
    expect((onA as { version: string }).version).toBe(conflict[0]?.value)
    expect((onA as { heads: string[] }).heads).toHaveLength(2)

    await new Client({ url: b2.http, key }).patch(`agents/${id}`, { version: '3.0.0' })
    await untilEqual(a2, b2)
    expect(await read(a2, `/v1/agents/${id}`)).not.toHaveProperty('conflicts')
  })

  test('a node that is killed in the middle of an import keeps what it acknowledged and opens by itself', async () => {
    const data = dataOf('killed')
    const acknowledged: Item[] = []
    for (let round = 0; round < 3; round += 1) {
      const node = await startNode({ data, offline: true })
      const importing = importAll(node, items.slice(acknowledged.length), (done) => acknowledged.push(...done)).catch(
        () => {},
      )
      await until(() => acknowledged.length >= (round + 1) * 200, 'some acknowledgements')
      await node.kill()
      await importing
    }
    await using node = await startNode({ data, offline: true })
    const outcomes = await post(node, acknowledged)
    expect(outcomes.every(({ outcome }) => outcome === 'unchanged')).toBe(true)
    expect(acknowledged.length).toBeGreaterThanOrEqual(600)
  })

  test('a second process on the same folder is refused in words', async () => {
    const data = dataOf('locked')
    await using _first = await startNode({ data, offline: true })
    await expect(startNode({ data, offline: true })).rejects.toThrow(/another process|in use|locked/i)
  })
})

type Outcome = { readonly outcome: string }

async function importAll(node: Running, all: readonly Item[], acknowledged: (items: Item[]) => void = () => {}) {
  for (let first = 0; first < all.length; first += 200) {
    const batch = all.slice(first, first + 200)
    const outcomes = await post(node, batch)
    const refused = outcomes.filter(({ outcome }) => outcome === 'refused')
    expect(refused).toEqual([])
    acknowledged(batch)
  }
}

async function change(node: Running, some: readonly Item[], description: string): Promise<void> {
  const outcomes = await post(
    node,
    some.map((item) => ({ ...item, doc: { description } })),
  )
  expect(outcomes.every(({ outcome }) => outcome === 'merged')).toBe(true)
}

async function post(node: Running, batch: readonly { kind: string; slug: string; doc: unknown }[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (let first = 0; first < batch.length; first += 500) {
    const lines = batch.slice(first, first + 500).map((item) => JSON.stringify(item))
    const response = await fetch(`${node.http}/v1/batch?lenient=true`, {
      method: 'POST',
      headers: { authorization: `Bearer ${node.token}`, 'content-type': 'application/x-ndjson' },
      body: lines.join('\n'),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${response.status}: ${text}`)
    outcomes.push(
      ...text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Outcome),
    )
  }
  return outcomes
}

type Status = {
  readonly search: { readonly behind: number }
  root: string
  ops: number
  records: Record<string, number>
  state_hash?: string
  sync: Record<string, unknown>
}

const status = (node: Running) => read(node, '/v1/status') as Promise<Status>
const stateHash = async (node: Running) => ((await read(node, '/v1/status?state_hash=1')) as Status).state_hash
const sum = (counts: Record<string, number>) => Object.values(counts).reduce((total, count) => total + count, 0)

async function read(node: Running, path: string): Promise<unknown> {
  const response = await fetch(node.http + path)
  if (!response.ok) throw new Error(`${path}: ${response.status}: ${await response.text()}`)
  return response.json()
}

async function ids(node: Running, query: string): Promise<string[]> {
  const response = await fetch(`${node.http}/v1/search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, limit: 20 }),
  })
  const { items: found } = (await response.json()) as { items: { record: { id: string } }[] }
  return found.map(({ record }) => record.id)
}

async function untilEqual(a: Running, b: Running): Promise<void> {
  await until(async () => {
    const [onA, onB] = await Promise.all([status(a), status(b)])
    return onA.root !== null && onA.root === onB.root
  }, 'equal roots')
}

/** Searches wait a second for the index and then answer without what is behind. */
async function untilIndexed(node: Running): Promise<void> {
  await until(async () => (await status(node)).search.behind === 0, 'an index that has all')
}

async function sessionEnded(node: Running): Promise<Record<string, unknown>> {
  let sync: Record<string, unknown> = {}
  await until(async () => {
    sync = (await status(node)).sync
    return sync['sessions'] === 0 && sync['last'] !== undefined
  }, 'the end of the session')
  return sync
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 50_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited 50 s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Every k-th, so that all kinds and sources are there. */
function spread(all: readonly Item[], count: number): Item[] {
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)] as Item)
}
