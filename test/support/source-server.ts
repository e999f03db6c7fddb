/** A server of documents on a free loopback port, for what an import may meet: pages, tags, redirects, silence. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Asked = { readonly path: string; readonly headers: IncomingMessage['headers'] }
export type SourceServer = AsyncDisposable & {
  readonly url: string
  /** Every request so far. */
  readonly asked: Asked[]
}

export async function sourceServer(
  answer: (path: string, request: IncomingMessage, response: ServerResponse) => void,
): Promise<SourceServer> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    asked.push({ path: request.url ?? '', headers: request.headers })
    answer(request.url ?? '', request, response)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise<void>((closed) => server.close(() => closed()))
    },
  }
}
