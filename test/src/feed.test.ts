import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { Client } from '../../src/client.ts'
import { linesOf } from '../../src/feed.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A node whose feed does what the test says; each connection takes the next answer. */
async function feedServer(answers: readonly Answer[], status = () => ({ seq: 9, epoch: 'e' })) {
  const asked: { since: string | null; lastEventId: string | undefined }[] = []
  const server = createServer((request, response) => {
    if (request.url === '/v1/status')
      return response.setHeader('content-type', 'application/json').end(JSON.stringify(status()))
    asked.push({
      since: new URL(`http://h${request.url}`).searchParams.get('since'),
      lastEventId: request.headers['last-event-id'] as string | undefined,
    })
    const answer = answers[asked.length - 1]
    if (answer === undefined) return response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n')
    return answer(request, response)
  })
  await new Promise<void>((go) => server.listen(0, '127.0.0.1', go))
  return {
    asked,
    client: new Client({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((go) => server.close(go))
    },
  }
}

const change = (seq: number) =>
  `id: ${seq}\ndata: ${JSON.stringify({ seq, op: `op${seq}`, kind: 'agent', id: 'r', type: 'patch', actor: 'a', w: 1 })}\n\n`
const events =
  (text: string, then: 'end' | 'cut' | 'stay'): Answer =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(text)
    if (then === 'end') response.end()
    if (then === 'cut') setImmediate(() => response.destroy())
  }

async function take(changes: AsyncGenerator<{ seq: number }>, n: number): Promise<number[]> {
  const seqs: number[] = []
  for await (const { seq } of changes) if (seqs.push(seq) === n) break
  return seqs
}

test('goes on behind the last change when the connection ends or breaks', async () => {
  await using server = await feedServer([
    events(`retry: 1\n\n${change(1)}${change(2)}`, 'end'),
    events(`: still here\n\n${change(3)}`, 'cut'),
    events(change(4), 'stay'),
  ])
  expect(await take(server.client.changes({ since: 0 }), 4)).toEqual([1, 2, 3, 4])
  expect(server.asked.map(({ lastEventId }) => lastEventId)).toEqual(['0', '2', '3'])
})

test('starts from now unless told where', async () => {
  await using server = await feedServer([events(change(10), 'stay')])
  expect(await take(server.client.changes(), 1)).toEqual([10])
  expect(server.asked[0]?.lastEventId).toBe('9')
})

test('starts over when the node began a new log', async () => {
  let epoch = 'first'
  await using server = await feedServer(
    [
      (request, response) => {
        events(change(8), 'end')(request, response)
        epoch = 'second'
      },
      events(change(1), 'stay'),
    ],
    () => ({ seq: 9, epoch }),
  )
  expect(await take(server.client.changes({ since: 7 }), 2)).toEqual([8, 1])
  expect(server.asked[1]?.lastEventId).toBe('0')
})

test('a busy node is asked again, a refusal is told', async () => {
  const refuse =
    (status: number): Answer =>
    (_request, response) => {
      response
        .writeHead(status, { 'content-type': 'application/problem+json' })
        .end(JSON.stringify({ status, detail: 'no' }))
    }
  await using busy = await feedServer([refuse(503), events(change(1), 'stay')])
  expect(await take(busy.client.changes({ since: 0 }), 1)).toEqual([1])
  await using closed = await feedServer([refuse(403)])
  await expect(take(closed.client.changes({ since: 0 }), 1)).rejects.toMatchObject({ code: 'auth', status: 403 })
})

test('ends without an error when its signal says so', async () => {
  await using server = await feedServer([events(change(1), 'stay')])
  const stop = new AbortController()
  const seqs: number[] = []
  for await (const { seq } of server.client.changes({ since: 0, signal: stop.signal })) {
    seqs.push(seq)
    stop.abort()
  }
  expect(seqs).toEqual([1])
})

test('lines and characters that are cut between chunks come out whole', async () => {
  const bytes = new TextEncoder().encode('a线b\r\n\n{"x":1}')
  for (let cut = 0; cut <= bytes.length; cut++) {
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(bytes.subarray(0, cut))
        controller.enqueue(bytes.subarray(cut))
        controller.close()
      },
    })
    const lines: string[] = []
    for await (const line of linesOf(new Response(body))) lines.push(line)
    expect(lines).toEqual(['a线b', '', '{"x":1}'])
  }
})
