/**
 * The first look at a store: the rows that say what it is and what it counted. An empty disk gets them.
 *
 * After an unclean end the newest frames are looked at: a power cut can lose a batch and keep a later one, which shows
 * as a gap in the arrival numbers. What follows from frames then tells of ops that are gone, so the store is built anew
 * from the frames that are there (aside.ts). So it is when the counts are damaged.
 */
import { emptyStore, rowsOf, setAside } from './aside.ts'
import { NodeError } from './errors.ts'
import { openCheckBytes } from './limits.ts'
import {
  asideMarkKey,
  type Counts,
  countsKey,
  FORMAT,
  frameCount,
  framesFrom,
  type Marker,
  type Meta,
  markerKey,
  metaKey,
  readCounts,
  readMarker,
  readMeta,
  seqOfFrameKey,
  unsealed,
} from './rows.ts'
import type { StoreOptions } from './store-types.ts'

/** `marker`: as the last clean shutdown left it; undefined after any other end. `checkMs`: what the look took then. */
export type Opened = {
  readonly meta: Meta
  readonly counts: Counts
  readonly marker: Marker | undefined
  readonly checkMs: number
}

/** NodeError: 'wrong-network', 'store-format' (a newer version's folder), 'store-corrupt', or the disk's own. */
export async function openRows(options: StoreOptions): Promise<Opened> {
  const { disk, environment, net, sha256, log } = options
  const { clock, random } = environment
  const rows = await disk.getMany([metaKey, countsKey, markerKey, asideMarkKey])
  const [metaBytes, countsBytes, markerBytes] = rows.slice(0, 3).map((row) => row && unsealed(row, sha256))
  if (rows[0] === undefined) {
    for await (const _ of disk.keys({ limit: 1 })) throw corrupt('the store has rows but no meta row')
    const begun = emptyStore(net, random)
    await disk.batch(rowsOf(begun, sha256), { sync: true })
    return { ...begun, marker: undefined, checkMs: 0 }
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
  const marker = markerBytes && readMarker(markerBytes)
  const began = clock.monotonic()
  const wrong =
    rows[3] !== undefined
      ? 'it was being built anew'
      : counts === undefined
        ? 'its counts are damaged'
        : marker === undefined && (await lacksFrames(options, counts.seq))
          ? 'batches of it are lost'
          : undefined
  const checkMs = clock.monotonic() - began
  if (wrong !== undefined || counts === undefined) {
    log('warn', `the store is built anew from its frames: ${wrong}`)
    return { ...(await setAside(disk, net, { sha256, random })), marker: undefined, checkMs }
  }
  if (rows[2] !== undefined) await disk.batch([{ key: markerKey }], { sync: true })
  return { meta, counts, marker, checkMs }
}

/** Whether the newest arrival numbers, up to the last one, are not all covered by frames. */
async function lacksFrames({ disk, sha256 }: StoreOptions, seq: number): Promise<boolean> {
  let next = seq + 1
  let bytes = 0
  for await (const [key, row] of disk.entries({ ...framesFrom(0), reverse: true })) {
    const first = seqOfFrameKey(key)
    // How many ops a damaged row had it does not say; its ops are missed by whoever reads them.
    const count = frameCount(row, sha256) ?? next - first
    if (first + count !== next) return true
    next = first
    bytes += row.length
    if (bytes >= openCheckBytes) return false
  }
  return next !== 1
}

function corrupt(what: string): NodeError {
  return new NodeError('store-corrupt', what)
}
