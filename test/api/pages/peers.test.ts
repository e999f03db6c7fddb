/** What pages say of other nodes, with two real ones. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Running, startNode } from '../../support/start-node.ts'

let folder: string
let first: Running
let second: Running
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-pages-'))
  first = await startNode({ data: join(folder, 'a'), network: 'pages' })
  second = await startNode({ data: join(folder, 'b'), network: 'pages', join: first.multiaddrs })
})
afterAll(async () => {
  await Promise.all([first?.stop(), second?.stop()])
  await rm(folder, { recursive: true, force: true })
})

const text = async (url: string) => (await fetch(url, { headers: { accept: 'text/html' } })).text()

test('a record says which peers hold it, and the node whether roots are equal and what it takes on disk', async () => {
  const answer = await fetch(`${first.http}/v1/models`, {
    method: 'POST',
    headers: { authorization: `Bearer ${first.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'shared', description: 'On both nodes.' }),
  })
  const { id } = (await answer.json()) as { id: string }
  const wait = { timeout: 30_000, interval: 200 }
  for (const { http } of [first, second]) {
    await expect.poll(() => text(`${http}/models/${id}`), wait).toContain('roots equal')
    const record = await text(`${http}/models/${id}`)
    expect(record).toContain('<strong>1 connected peer</strong> with the same catalogue')
    const node = await text(`${http}/node`)
    expect(node).toContain('same as its peer')
    const other = http === first.http ? second : first
    expect(node).toContain(`title="${other.peerId}"`)
    expect(/<dt>On disk<\/dt><dd>[\d.]+ (KB|MB)<\/dd>/.test(node)).toBe(true)
  }
  await first.stop()
  await expect.poll(() => text(`${second.http}/models/${id}`), wait).toContain('No peer is connected')
})
