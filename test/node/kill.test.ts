/** kill -9 in the middle of synced groups, on a real disk: what was acknowledged is there, and all goes on. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeVerbs } from '../../crdt/index.ts'
import { LevelDisk } from '../../node/disk-level.ts'
import { FileJournal } from '../../node/journal.ts'
import { zstdCodec } from '../../node/native.ts'
import { checkReplica } from '../support/check-replica.ts'
import { openReplica } from '../support/open-replica.ts'
import { publisher } from '../support/publisher.ts'
import { chosenSeed } from '../support/seed.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-kill-'))
})
afterEach(async () => rm(folder, { recursive: true, force: true }))

/** Ops acknowledged before the process was killed, which is after `lines` acknowledgements and then at any moment. */
async function writeAndKill(round: number, lines: number): Promise<string[]> {
  const script = new URL('../support/kill-writer.ts', import.meta.url).pathname
  const writer = spawn(process.execPath, [script, folder, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const acknowledged: string[] = []
  const reader = createInterface({ input: writer.stdout })
  const exited = once(writer, 'exit')
  for await (const line of reader) {
    acknowledged.push(...line.split(' '))
    if (acknowledged.length >= lines * 6) writer.kill('SIGKILL')
  }
  await exited
  return acknowledged
}

test('nothing that was acknowledged is lost, and the folder opens without help', async () => {
  const me = publisher(9)
  const seed = chosenSeed()
  const acknowledged: string[] = []
  for (let round = 0; round < 2; round++) {
    acknowledged.push(...(await writeAndKill(round, 3 + ((seed >> round) % 7))))
    await using disk = await LevelDisk.open(join(folder, 'store'))
    await using journal = await FileJournal.open(join(folder, 'journal'))
    const { replica, logged } = await openReplica({ disk, journal, signer: me.signer, codec: zstdCodec })
    expect(logged, `SEED=${seed}`).toEqual([])
    expect(
      (await replica.has(acknowledged)).filter((held) => !held),
      `SEED=${seed}`,
    ).toEqual([])
    expect(replica.health()).toMatchObject({ set: 'good', forkedRecords: 0 })
    await checkReplica(replica)
    // Every record can still be written: the journal stops none.
    const records = await replica.list({ limit: 1_000 })
    const touched = await replica.write(
      records.map(({ record, kind }) => ({
        record,
        kind,
        slug: '',
        decide: () => ({ do: 'patch', body: encodeVerbs([['set', ['round'], round]]) }),
      })),
    )
    expect(touched.every(({ outcome }) => outcome === 'written')).toBe(true)
    await replica[Symbol.asyncDispose]()
  }
})
