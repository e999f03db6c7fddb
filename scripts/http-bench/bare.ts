/**
 * The measure for a read: hono on the same adapter and the same server settings that matter, with one route, answering
 * the same bytes and the same header fields from memory. What it is to answer comes by message.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'

export type Bare = { readonly path: string; readonly body: string; readonly headers: Readonly<Record<string, string>> }

// Without its parent nobody needs it.
process.once('disconnect', () => process.exit())

process.once('message', ({ path, body, headers }: Bare) => {
  const app = new Hono()
  app.get(path, () => new Response(body, { headers }))
  const server = createServer(getRequestListener(app.fetch))
  server.listen(0, '127.0.0.1', 4_096, () => process.send?.((server.address() as AddressInfo).port))
})
