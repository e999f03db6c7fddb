/** What is written arrives whole and in order, in fewer pieces. */
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'
import { expect, test } from 'vitest'
import { joiningWrites } from '../../node/network-writes.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A connection as an encrypter gets it, with what it was given to write. */
async function connected() {
  const written: number[][] = []
  const connection = {
    status: 'open',
    send: (data: Uint8Array) => {
      written.push([...data])
      return data.length < 100
    },
  }
  const plain = { secureOutbound: async (given: MessageStream) => given } as unknown as ConnectionEncrypter
  const joined = (await joiningWrites(plain).secureOutbound(connection as unknown as MessageStream)) as unknown
  return { connection: joined as typeof connection, written }
}

test('a header alone waits for the end of the turn, or goes with the next message', async () => {
  const { connection, written } = await connected()
  const header = (n: number) => new Uint8Array(30).fill(n)
  const message = new Uint8Array(31).fill(9)
  expect(connection.send(header(1))).toBe(true)
  connection.send(header(2))
  expect(written).toEqual([])
  await turn()
  expect(written.splice(0)).toEqual([[...header(1), ...header(2)]])
  connection.send(header(3))
  connection.send(message)
  expect(written.splice(0)).toEqual([[...header(3), ...message]])
  await turn()
  expect(written).toEqual([])
})

test('whoever writes hears when the connection takes no more', async () => {
  const { connection } = await connected()
  expect(connection.send(new Uint8Array(99))).toBe(true)
  expect(connection.send(new Uint8Array(100))).toBe(false)
})

test('a header is of no more use once the connection has closed', async () => {
  const { connection, written } = await connected()
  connection.send(new Uint8Array(30))
  connection.status = 'closing'
  await turn()
  expect(written).toEqual([])
})
