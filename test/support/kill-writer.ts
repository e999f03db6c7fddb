/**
 * A process that writes until it is killed: says on its output which writes were acknowledged. Not a test itself.
 *
 *   arguments: folder, round
 */
import { join } from 'node:path'
import { encodeBody, encodeVerbs } from '../../crdt/index.ts'
import { LevelDisk } from '../../node/disk-level.ts'
import { FileJournal } from '../../node/journal.ts'
import { machineEnvironment, nativeSuite, zstdCodec } from '../../node/native.ts'
import { Replica } from '../../node/replica.ts'
import { Verifier } from '../../node/verifier.ts'
import { named, net, publisher } from './publisher.ts'

const [folder, round] = process.argv.slice(2) as [string, string]
const me = publisher(9)
const disk = await LevelDisk.open(join(folder, 'store'))
const journal = await FileJournal.open(join(folder, 'journal'))
const replica = await Replica.open({
  disk,
  journal,
  net,
  environment: machineEnvironment,
  suite: nativeSuite,
  checker: new Verifier(),
  signer: me.signer,
  codec: zstdCodec,
})
for (let n = 0; ; n += 5) {
  const writes = Array.from({ length: 5 }, (_, i) => {
    const slug = `${round}-${n + i}`
    return {
      record: me.recordOf(slug),
      kind: me.kind,
      slug,
      decide: () => ({ do: 'genesis', body: encodeBody(named(slug, slug)) }) as const,
    }
  })
  const again = {
    ...writes[0]!,
    decide: () => ({ do: 'patch', body: encodeVerbs([['set', ['again'], true]]) }) as const,
  }
  // Several calls at once, so that groups form.
  const calls = [replica.write(writes), replica.write([again])]
  const outcomes = (await Promise.all(calls)).flat()
  const ops = outcomes.map((outcome) => (outcome.outcome === 'written' ? outcome.op : 'none'))
  process.stdout.write(`${ops.join(' ')}\n`)
}
