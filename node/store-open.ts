/**
 * The first look at a store: the rows that say what it is and what it counted. An empty disk gets them.
 */
import { toHex } from '../crdt/index.ts'
import { NodeError } from './errors.ts'
import {
  type Counts,
  countsKey,
  countsRow,
  FORMAT,
  type Marker,
  type Meta,
  markerKey,
  metaKey,
  metaRow,
  readCounts,
  readMarker,
  readMeta,
  sealed,
  unsealed,
} from './rows.ts'
import type { StoreOptions } from './store-types.ts'

/** `marker`: as the last clean shutdown left it; undefined after any other end. */
export type Opened = { readonly meta: Meta; readonly counts: Counts; readonly marker: Marker | undefined }

/** NodeError: 'wrong-network', 'store-format' (a newer version's folder), 'store-corrupt', or the disk's own. */
export async function openRows({ disk, environment, net, sha256 }: StoreOptions): Promise<Opened> {
  const rows = await disk.getMany([metaKey, countsKey, markerKey])
  const [metaBytes, countsBytes, markerBytes] = rows.map((row) => row && unsealed(row, sha256))
  if (rows[0] === undefined) {
    for await (const _ of disk.keys({ limit: 1 })) throw corrupt('the store has rows but no meta row')
    const meta = { format: FORMAT, net, epoch: toHex(environment.random.bytes(16)) }
    const counts: Counts = { seq: 0, ops: 0, records: Object.create(null) }
    await disk.batch(
      [
        { key: metaKey, value: sealed(metaRow(meta), sha256) },
        { key: countsKey, value: sealed(countsRow(counts), sha256) },
      ],
      { sync: true },
    )
    return { meta, counts, marker: undefined }
  }
  const meta = metaBytes && readMeta(metaBytes)
  if (meta === undefined) throw corrupt("the store's meta row is damaged")
  if (meta.format > FORMAT) {
    throw new NodeError(
      'store-format',
      `the store has format ${meta.format}, this program knows ${FORMAT} and older; use the version that wrote it, or a newer one`,
    )
  }
  if (meta.net !== net) {
    throw new NodeError('wrong-network', `the store belongs to network ${meta.net}, not to ${net}`)
  }
  const counts = countsBytes && readCounts(countsBytes)
  if (counts === undefined) throw corrupt("the store's counts are damaged")
  if (rows[2] !== undefined) await disk.batch([{ key: markerKey }], { sync: true })
  return { meta, counts, marker: markerBytes && readMarker(markerBytes) }
}

function corrupt(what: string): NodeError {
  return new NodeError('store-corrupt', what)
}
