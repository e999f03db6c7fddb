/**
 * The first look at a store: the rows that say what it is and what it counted. An empty disk gets them.
 *
 * After an unclean end the newest frames are looked at: a power cut can lose a batch and keep a later one, which shows
 * as a gap in the arrival numbers. What follows from frames then tells of ops that are gone, so the store is built anew
 * from the frames that are there (aside.ts). So it is when the counts are damaged.
 */
import { emptyStore, rowsOf, setAside } from './aside.ts'
import type { Disk } from './disk.ts'
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
  opRows,
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
        : marker === undefined && (await lacksFrames(options, counts))
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
async function lacksFrames(options: StoreOptions, { seq, ops }: Counts): Promise<boolean> {
  const { disk, sha256 } = options
  let next = seq + 1
  let bytes = 0
  let isUnsure = false
  for await (const [key, row] of disk.entries({ ...framesFrom(0), reverse: true })) {
    const first = seqOfFrameKey(key)
    const count = frameCount(row, sha256)
    // How many ops a damaged one had it does not say: a lost one may lie behind it.
    if (count === undefined) isUnsure = true
    else if (first + count !== next) return true
    next = first
    bytes += row.length
    if (bytes >= openCheckBytes) break
  }
  if (bytes < openCheckBytes && next !== 1) return true
  return isUnsure && (await countOf(disk)) !== ops
}

async function countOf(disk: Disk): Promise<number> {
  let ops = 0
  for await (const _ of disk.keys(opRows)) ops++
  return ops
}

function corrupt(what: string): NodeError {
  return new NodeError('store-corrupt', what)
}
