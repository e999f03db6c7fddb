/** block, unblock and quota from the command line, on a node that keeps them over a restart. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Command, commandOn } from '../support/command.ts'
import { type Running, startNode } from '../support/start-node.ts'

const PEER = '12D3KooWR1bqxm47gC8oB7XTg2egvwT6XAaDv3C8REhuuBJonwL5'
let folder: string
let node: Running
let peerage: Command

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-policy-'))
  peerage = await commandOn(join(folder, 'data'), join(folder, 'config'))
  node = await startNode({ data: join(folder, 'data'), offline: true })
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function ok(args: readonly string[], stdin?: string): Promise<string[]> {
  const { code, stderr, lines } = await peerage(args, { stdin })
  expect([code, code === 0 ? '' : stderr]).toEqual([0, ''])
  return lines
}

const publish = async (name: string, key: string) =>
  peerage(['publish', '-', '-q', '--key', key], { stdin: JSON.stringify({ kind: 'agent', name }) })

test('a publisher is blocked with its records, kept so over a restart, and let in again', async () => {
  const [did] = (await ok(['keys', 'new', 'loud'])) as [string]
  const [id] = (await publish('megaphone', 'loud')).lines as [string]
  expect((await peerage(['block', did, PEER, '--reason', 'too loud'])).stderr).toContain(`did ${did} is blocked`)
  const read = await peerage(['get', id])
  expect([read.code, read.stderr]).toEqual([1, expect.stringContaining('has blocked the record or its owner')])
  const refused = await publish('louder', 'loud')
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('blocked')])
  expect((await ok(['search', 'megaphone', '-q'])).join('')).toBe('')

  await node[Symbol.asyncDispose]()
  node = await startNode({ data: join(folder, 'data'), offline: true })
  expect((await ok(['block', '--list', '-q'])).sort()).toEqual([PEER, did].sort())
  expect((await ok(['block', '--list']))[0]).toMatch(/^(did|peer) {2,}\S+ {2}\d{4}-\S+ {2}too loud$/)
  expect((await peerage(['get', id])).code).toBe(1)
  expect((await peerage(['unblock', did, PEER])).code).toBe(0)
  expect((await peerage(['unblock', did])).code).toBe(3)
  expect((await publish('louder', 'loud')).code).toBe(0)
  expect(await ok(['get', id, '-q'])).toEqual([id])

  // A record by its name.
  await ok(['block', `agent/${did}/louder`])
  expect(await ok(['block', '--list', '-q'])).not.toEqual([did])
  expect((await peerage(['block'])).code).toBe(2)
  expect((await peerage(['block', 'nobody'])).code).toBe(3)
})

test('a quota is given, holds, is listed and taken back', async () => {
  const [did] = (await ok(['keys', 'new', 'busy'])) as [string]
  expect((await ok(['quota', '--list']))[0]).toBe('everybody  100000 ops an hour, 1000000 records, 4000000000 bytes')
  // So few an hour that what was used is still used when it is asked for.
  const few = ['--ops-per-hour', '60', '--records', '1']
  expect((await ok(['quota', did, ...few]))[0]).toBe('quota  60 ops an hour, 1 records, 4000000000 bytes')
  // With the node's token as with none: who signs with a key of its own shows no token.
  expect((await publish('one', 'busy')).code).toBe(0)
  const refused = await publish('two', 'busy')
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('quota')])
  expect(JSON.parse((await ok(['quota', did, '--json']))[0]!)).toMatchObject({ used: { ops_per_hour: 1, records: 1 } })
  expect(await ok(['quota', '-q'])).toEqual([did])
  await ok(['quota', did, '--default'])
  expect((await publish('two', 'busy')).code).toBe(0)
  for (const wrong of [
    ['quota', 'x'],
    ['quota', '--records', '5'],
    ['quota', did, '--records', '-1'],
    ['quota', did, '--default', '--bytes', '1'],
  ])
    expect([wrong, (await peerage(wrong)).code]).toEqual([wrong, 2])
})
