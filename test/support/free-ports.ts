/** Ports of the loopback that nobody has now. For programs that must be told theirs; others take port 0. */
import { createServer } from 'node:net'

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const listening = servers.map(
    (server) =>
      new Promise<number>((done) => {
        server.listen(0, '127.0.0.1', () => done((server.address() as { port: number }).port))
      }),
  )
  const found = await Promise.all(listening)
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  return found
}
