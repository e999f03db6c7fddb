/**
 * verify: fetches every op of a record and of its owner's authority, checks each on this side, and prints the way from
 * the owner to each op. Leaves with 6 when the node shows what does not prove.
 */
import {
  Dag,
  judge,
  keyToDid,
  OP_TYPES,
  type OpId,
  type OwnerAuthority,
  opIdToCid,
  ownerToDid,
} from '../../crdt/index.ts'
import { type Context, connect } from './context.ts'
import { EXIT, type ExitCode, Failure } from './output.ts'
import { count } from './show.ts'

export async function run(context: Context, reference: string): Promise<ExitCode> {
  const { out, signal } = context
  const client = await connect(context)
  const proven = await client.proven(reference, { signal })
  if (proven === undefined) throw new Failure(EXIT.notFound, `there is no record ${reference}`)
  const { merged, ops } = proven
  const owner = ownerToDid(merged.owner)
  const relies = merged.judged !== undefined
  const authority = relies ? await client.authority.proven(merged.owner, { signal }) : undefined
  const dag = new Dag([...ops.values()])
  const judged = judge(dag, authority)
  for (const [at, op] of dag.ops.entries()) {
    const { voidedBy, erased, inert } = judged[at]!
    const chain = op.header.via === undefined ? [] : wayTo(op.header.via, authority)
    const why =
      voidedBy.length > 0 ? 'voided' : erased ? 'erased' : inert ? 'inert' : op.freed ? 'incomplete' : 'counts'
    const cid = opIdToCid(op.id)
    if (out.quiet) await out.data(cid)
    else if (out.json) {
      const by = voidedBy.length > 0 && { voided_by: voidedBy.map(opIdToCid) }
      await out.value({ op: cid, owner, chain, actor: keyToDid(op.header.actor), counts: why === 'counts', why, ...by })
    } else {
      const type = OP_TYPES[op.header.type - 1] ?? String(op.header.type)
      const way = [owner, ...chain.map(({ op: via, to }) => `${via} to ${to}`)].join(' > ')
      const by = voidedBy.length > 0 ? ` by ${voidedBy.map(opIdToCid).join(', ')}` : ''
      await out.data(`${cid}  ${type.padEnd(7)}  ${why}${by}  ${out.dim(way)}`)
    }
  }
  if (!out.quiet && !out.json) {
    const more = authority === undefined ? '' : `, and ${count(authority.size, 'authority op')}`
    out.talk(`${count(dag.ops.length, 'op')} checked on this side: signatures, hashes, parents and authority${more}`)
  }
  return EXIT.ok
}

/** From the owner down to what an op relies on, and whom each step named. */
function wayTo(via: OpId, authority: OwnerAuthority | undefined): { op: string; to: string }[] {
  const way: { op: string; to: string }[] = []
  const standing = authority?.relied(via)?.standing
  const ids = standing !== undefined && standing.chain.length > 0 ? [...standing.chain].reverse() : [via]
  for (const id of ids) way.push({ op: opIdToCid(id), to: keyToDid(authority?.relied(id)?.actor ?? '00'.repeat(32)) })
  return way
}
