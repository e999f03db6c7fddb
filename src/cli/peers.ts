/** peers: the nodes this one is connected to, and whether they hold the same. */
import { type Context, connect } from './context.ts'
import { count } from './show.ts'

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const client = await connect(context)
  const { peers } = await client.status({ signal })
  for (const peer of peers) {
    if (out.quiet) await out.data(peer.peer_id)
    else if (out.json) await out.value(peer)
    else {
      const same = peer.root_equal === undefined ? 'not compared yet' : peer.root_equal ? 'same set' : 'other set'
      const behind = peer.ops_behind ? `, has ${count(peer.ops_behind, 'op')} we lack` : ''
      await out.data(`${peer.peer_id}  ${same}${behind}  ${out.dim(peer.multiaddr ?? '')}`)
    }
  }
  if (peers.length === 0 && !out.json && !out.quiet) out.talk('no peers; connect with: peerage start --join MULTIADDR')
}
