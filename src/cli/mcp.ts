/**
 * mcp serve: the register as an MCP server on standard input and output, for an IDE or an agent that starts it. It
 * talks to the running node; with a token the node signs what is published, with --key this side does, and without
 * either publishing is not offered.
 */
import type { Writable } from 'node:stream'
import type { Client } from '../client.ts'
import { programVersion } from '../version.ts'
import { type Context, connect } from './context.ts'

export async function serve(context: Context): Promise<number> {
  const { stdin, signal, out } = context
  const client = await connect(context)
  const [{ mcpServer }, { StdioServerTransport }] = await Promise.all([
    import('../mcp-server.ts'),
    import('@modelcontextprotocol/sdk/server/stdio.js'),
  ])
  const server = await mcpServer(
    {
      search: async (search) => ({ ...(await client.search(search)) }),
      get: (id) => client.get(id),
      ...(client.canWrite && { publish: (kind, slug, doc) => publish(client, kind, slug, doc) }),
    },
    programVersion(),
  )
  const ended = new Promise<void>((resolve) => {
    server.onclose = resolve
    stdin.once('end', resolve)
    stdin.once('close', resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await server.connect(new StdioServerTransport(stdin, out.stdout as Writable))
  out.talk(`MCP server of the node at ${client.url}: search, get${client.canWrite ? ', publish' : ''}`)
  await ended
  await server.close()
  return 0
}

async function publish(client: Client, kind: string, slug: string | undefined, doc: Readonly<Record<string, unknown>>) {
  const [one] = await client.publish([{ kind, doc, ...(slug !== undefined && { slug }) }])
  if (one === undefined || one.outcome === 'refused') {
    const places = (one?.error?.errors ?? []).map(({ pointer, message }) => `${pointer} ${message}`.trim())
    throw new Error([one?.error?.message ?? 'refused', ...places].join('\n'))
  }
  return { id: one.id, outcome: one.outcome }
}
