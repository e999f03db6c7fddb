import { expect, test } from 'vitest'
import { plainPackets } from '../../node/packet.ts'
import { manualEnvironment } from '../support/manual-clock.ts'
import { MemoryNetwork } from '../support/memory-transport.ts'
import { geneses, patches, TestPeer } from '../support/peer.ts'

async function peers(count: number, options = {}) {
  const environment = manualEnvironment()
  const network = new MemoryNetwork({ clock: environment.clock })
  const made = await Promise.all(
    ['a', 'b', 'c', 'd'].slice(0, count).map((id) => TestPeer.open({ transport: network.node(id), environment, codec: plainPackets, ...options })),
  )
  return { environment, network, clock: environment.clock, made }
}

test('after a session both hold what either held', async () => {
  const { network, clock, made } = await peers(2)
  const [a, b] = made as [TestPeer, TestPeer]
  await a.take(geneses(1, 300).frames)
  await b.take(geneses(2, 200).frames)
  network.connect('a', 'b')
  await clock.runUntil(() => a.replica.counts().ops === 500 && b.replica.counts().ops === 500, 10_000)
  await clock.runUntil(() => a.sessions.length > 0 && b.sessions.length > 0, 10_000)
  expect(a.sessions[0]).toMatchObject({ end: 'done', rootEqual: true, opsIn: 200, opsOut: 300 })
  console.log(a.sessions, b.sessions)
})
