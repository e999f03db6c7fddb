/**
 * A whole node in this process: real LevelDB, real libp2p on loopback, the real index. What its parts promise is tested
 * beside them; here, that they are wired, that they close, and that what strangers do is counted where operators look.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { kindOf } from '../../crdt/index.ts'
import { Node, type NodeOptions } from '../../node/index.ts'
import { pack, zstdPackets } from '../../node/packet.ts'
import { Adversary } from '../support/adversary.ts'
import { geneses, patches } from '../support/peer.ts'

const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'peerage-node-'))
  closing.push(() => rm(path, { recursive: true, force: true }))
  return path
}

async function open(options: Partial<NodeOptions> & { readonly data: string }): Promise<Node> {
  const node = await Node.open({
    network: 'node-test',
    listen: ['/ip4/127.0.0.1/tcp/0'],
    join: [],
    mdns: false,
    offline: false,
    version: 'test',
    ...options,
  })
  closing.push(() => node[Symbol.asyncDispose]())
  return node
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 30_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`expected ${what} within 30 s`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const agent = kindOf('agent') as NonNullable<ReturnType<typeof kindOf>>

/** The value of one line of the metrics page; 0 when it is not there. */
async function metric(node: Node, line: string): Promise<number> {
  const found = (await node.metrics()).split('\n').find((each) => each.startsWith(line))
  return Number(found?.split(' ').at(-1) ?? 0)
}

test('what is written can be read, found and counted, and is there after a restart', async () => {
  const data = await folder()
  const first = await open({ data })
  const written = await first.catalogue.register(agent, { name: 'night-shift', description: 'Watches the pager.' })
  if (written.outcome === 'refused') throw new Error(written.message)
  const found = await first.catalogue.find({ query: 'pager', limit: 10 })
  expect('items' in found && found.items.map(({ record }) => record.record)).toEqual([written.record.record])
  const before = await first.status({ stateHash: true })
  expect(before).toMatchObject({ records: { agent: 1 }, ops: 1, pending: 0, search: { seq: 1, behind: 0 } })
  await first[Symbol.asyncDispose]()

  const second = await open({ data })
  await second.replica.ready
  const after = await second.status({ stateHash: true })
  for (const same of ['did', 'peer_id', 'root', 'state_hash', 'epoch', 'records'] as const) {
    expect(after[same], same).toEqual(before[same])
  }
})

test('a folder that is in use, of another network, or with a key that others can read is not opened, and is left closed', async () => {
  const data = await folder()
  const node = await open({ data })
  await expect(open({ data })).rejects.toMatchObject({ code: 'store-locked' })
  await node[Symbol.asyncDispose]()
  await expect(open({ data, network: 'another' })).rejects.toMatchObject({ code: 'wrong-network' })
  await chmod(join(data, 'key'), 0o644)
  await expect(open({ data })).rejects.toMatchObject({ code: 'key-unsafe' })
  await chmod(join(data, 'key'), 0o600)
  await open({ data })
})

test('lies by gossip and sync are refused, counted on the metrics page by reason, and keep no honest peer out', async () => {
  const victim = await open({ data: await folder() })
  const [address] = victim.multiaddrs()
  const net = victim.replica.net
  const liar = await Adversary.meet(address as string, net)
  closing.push(() => liar[Symbol.asyncDispose]())
  await until(() => liar.subscribers > 0, 'the mesh')

  const [orphan] = patches(7, [{ record: 'ab'.repeat(32), head: 'cd'.repeat(32) }], 'lost', { net }).frames
  await liar.publish(await pack([orphan as Uint8Array], zstdPackets))
  await until(() => victim.replica.pending().ops === 1, 'the op without its parent')
  const forged = geneses(5, 1, { net }).frames.map((frame) => frame.map((byte, at) => (at === 70 ? byte ^ 255 : byte)))
  await liar.publish(await pack(forged, zstdPackets))
  await until(
    async () => (await metric(victim, 'peerage_refused_total{reason="bad-signature",via="gossip"}')) > 0,
    'the forgery on the metrics page',
  )
  for (let i = 0; i < 20 && liar.isConnected; i++) {
    const channel = await liar.channel().catch(() => undefined)
    await channel?.sayBytes(new Uint8Array(50_000).fill(0x81)).catch(() => {})
    await channel?.hear().catch(() => {})
  }
  await until(() => !liar.isConnected, 'the liar dropped')
  expect(await metric(victim, 'peerage_network_events_total{what="banned"}')).toBe(1)
  expect(await metric(victim, 'peerage_network_penalties_total{what="malformed"}')).toBeGreaterThan(0)
  expect(victim.replica.counts().ops).toBe(0)

  const honest = await open({ data: await folder(), join: victim.multiaddrs() })
  await victim.catalogue.register(agent, { name: 'still-here' })
  await until(() => honest.replica.counts().ops === 1, 'the honest op')
})
