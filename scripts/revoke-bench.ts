/**
 * What it costs to revoke a key that has written many records: the list, the moment itself, and what follows.
 *
 *   npm run revoke-bench -- [--n N]
 *
 * One node on a real disk, N records that a grantee registered, each with one change. The owner revokes: first keeping
 * all that was done, which changes nothing, then dropping it, which takes every record away. One JSON line each.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { draftOp, encodeBody, encodeVerbs, networkId, type Op, signOps } from '../crdt/index.ts'
import {
  Authorities,
  LevelDisk,
  machineEnvironment,
  nativeSuite,
  Replica,
  signerFromSeed,
  Verifier,
} from '../node/index.ts'

const { values } = parseArgs({ options: { n: { type: 'string', default: '10000' } } })
const n = Number(values.n)
/** Records in one batch of signatures. */
const BATCH = 128
const net = networkId('revoke-bench')
const [owner, ci] = [signerFromSeed(new Uint8Array(32).fill(1)), signerFromSeed(new Uint8Array(32).fill(2))]
const folder = await mkdtemp(join(tmpdir(), 'peerage-revoke-'))
const disk = await LevelDisk.open(folder)
const checker = new Verifier()
const replica = await Replica.open({
  disk,
  environment: machineEnvironment,
  suite: nativeSuite,
  checker,
  net,
  signer: owner,
})
await replica.ready
const authorities = new Authorities(replica)

const granted = await authorities.grant({ to: ci.key, rights: ['create', 'write'] })
if (granted.outcome !== 'granted') throw new Error(granted.message)
const [via] = granted.grants as [string]
const records: string[] = []
for (let from = 0; from < n; from += BATCH) {
  const ops: Op[] = []
  for (let i = from; i < Math.min(n, from + BATCH); i++) {
    const slug = `record ${i}`
    const f = [[['name'], slug]] as const
    const body = encodeBody({ slug, f, s: [], t: [] })
    const options = { net, key: ci.key, sha256: nativeSuite.sha256 }
    const genesis = draftOp({ type: 'genesis', owner: `01${owner.key}`, kind: 'model', slug, w: i, body, via }, options)
    const { record } = genesis.header
    const verbs = encodeVerbs([['set', ['version'], `${i}`]])
    ops.push(genesis, draftOp({ type: 'patch', record, parents: [genesis.id], w: i + 1, body: verbs, via }, options))
    records.push(record)
  }
  const frames = signOps(ops, { net, key: ci.key, sha256: nativeSuite.sha256, sign: (message) => ci.sign(message) })
  await replica.admit(
    frames.map(({ frame }) => frame.bytes),
    { via: 'sync', peer: 'bench' },
  )
}

for (const keep of ['seen', 'nothing'] as const) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const start = performance.now()
  const revoked = await authorities.revoke(`01${owner.key}`, via, keep)
  if (revoked.outcome !== 'revoked') throw new Error(revoked.message)
  const done = performance.now()
  const read = await replica.record(records[n - 1] as string)
  const firstRead = performance.now() - done
  while (replica.rejudging() > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  const settled = performance.now()
  delay.disable()
  console.log(
    JSON.stringify({
      workload: 'revoke',
      n,
      keep,
      listed: revoked.kept,
      list_bytes: revoked.kept * 32,
      revoke_ms: Math.round(done - start),
      first_read_ms: Number(firstRead.toFixed(2)),
      first_read_live: read?.live,
      settled_ms: Math.round(settled - done),
      live: replica.counts().records['model'] ?? 0,
      loop_p99_ms: Number((delay.percentile(99) / 1e6).toFixed(1)),
      loop_max_ms: Number((delay.max / 1e6).toFixed(1)),
    }),
  )
}
await replica[Symbol.asyncDispose]()
await disk[Symbol.asyncDispose]()
await checker[Symbol.asyncDispose]()
await rm(folder, { recursive: true, force: true })
