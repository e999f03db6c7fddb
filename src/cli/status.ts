/** status: what the node is and how it is doing. */
import type { Status } from '../answers.ts'
import { type Context, connect } from './context.ts'
import { count } from './show.ts'

export async function run(context: Context): Promise<void> {
  const { out, options, signal } = context
  const client = await connect(context)
  const status = await client.status({ signal, ...(options.stateHash === true && { stateHash: true }) })
  if (out.json) return out.value(status)
  if (out.quiet) return out.data(status.root ?? '')
  for (const [name, value] of rows(client.url, status)) await out.data(`${out.dim(name.padEnd(12))} ${value}`)
}

function* rows(url: string, status: Status): Generator<[string, string]> {
  yield ['http', url]
  yield ['version', status.version]
  yield ['network', `${status.network} (${status.network_id})`]
  if (status.peer_id) yield ['peer id', status.peer_id]
  if (status.did) yield ['signs as', status.did]
  for (const address of status.multiaddrs) yield ['address', address]
  const records = Object.entries(status.records).filter(([, n]) => n > 0)
  const total = records.reduce((sum, [, n]) => sum + n, 0)
  const kinds = records.map(([kind, n]) => `${n.toLocaleString('en-US')} ${kind}`).join(', ')
  yield ['records', `${total.toLocaleString('en-US')}${kinds === '' ? '' : ` (${kinds})`}`]
  yield [
    'ops',
    `${status.ops.toLocaleString('en-US')}${status.pending > 0 ? `, ${status.pending} waiting for a parent` : ''}`,
  ]
  yield ['root', status.root ?? '(loading)']
  if (status.state_hash !== undefined) yield ['state hash', status.state_hash]
  yield ['search', status.search.behind === 0 ? 'caught up' : `${count(status.search.behind, 'op')} behind`]
  yield ['peers', String(status.peers.length)]
}
