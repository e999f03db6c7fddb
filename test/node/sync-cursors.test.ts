/** Cursors over restarts, and over a store that was built anew. */
import { expect, test } from 'vitest'
import { Cursors } from '../../node/sync-cursors.ts'
import { manualEnvironment } from '../support/manual-clock.ts'
import { openReplica } from '../support/open-replica.ts'

test('how far a peer was read is kept, for the epoch of the log that took it in', async () => {
  const { replica } = await openReplica()
  const cursor = { epoch: 'ab'.repeat(16), seq: 7, mine: 0 }
  await (await Cursors.open(replica)).set('peer', cursor)
  expect((await Cursors.open(replica)).get('peer')).toEqual(cursor)

  const { replica: anew } = await openReplica({ environment: manualEnvironment(2) })
  await anew.setNote('sync/cursors', (await replica.note('sync/cursors'))!)
  expect((await Cursors.open(anew)).get('peer')).toBeUndefined()
})
