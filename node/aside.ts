/**
 * Building a store anew from its frames, where what follows from them can no longer be trusted.
 *
 *   key            value
 *   y              there while frames are being set aside; whoever finds it goes on
 *   y <place 6>    a frame that waits to be taken in again, as its row was; in order of arrival
 *
 * First every frame is set aside and all that follows from frames is deleted: what is left is an empty store of a new
 * epoch. Then each frame is taken in as a stranger's would be, its signature checked, and its row goes when all of it
 * is held. An op whose past is gone waits on, over restarts, until peers have sent that past: it is neither shown nor
 * counted meanwhile, and never dropped. A crash anywhere is gone on from.
 */
import { type NetworkId, type ParsedFrame, type Sha256, toHex } from '../crdt/index.ts'
import type { Del, Disk, Put } from './disk.ts'
import type { Random } from './environment.ts'
import { asideBatchRows, readmitBytes } from './limits.ts'
import type { Admitted, Codec, OpResult } from './replica-types.ts'
import {
  asideKey,
  asideMarkKey,
  asideRows,
  type Counts,
  countsKey,
  countsRow,
  FORMAT,
  framesFrom,
  type Meta,
  metaKey,
  metaRow,
  sealed,
  seqOfFrameKey,
} from './rows.ts'
import { readFrame } from './store-frames.ts'

/** Rows that follow from the frames, by the first byte of their keys. */
const DERIVED = [...'abceikonqrsvw']
const NOTHING = new Uint8Array(0)

export type Begun = { readonly meta: Meta; readonly counts: Counts }

/** Leaves an empty store with its frames aside. Done again from wherever it was cut off. */
export async function setAside(
  disk: Disk,
  net: NetworkId,
  { sha256, random }: { readonly sha256: Sha256; readonly random: Random },
): Promise<Begun> {
  await disk.batch([{ key: asideMarkKey, value: NOTHING }], { sync: true })
  let place = 0
  for await (const key of disk.keys({ ...asideRows, reverse: true, limit: 1 })) place = seqOfFrameKey(key)
  let changes: (Put | Del)[] = []
  let bytes = 0
  const flush = async () => {
    if (changes.length > 0) await disk.batch(changes)
    changes = []
    bytes = 0
  }
  for await (const [key, value] of disk.entries(framesFrom(0))) {
    changes.push({ key: asideKey(++place), value }, { key })
    bytes += value.length
    if (bytes >= readmitBytes || changes.length >= asideBatchRows) await flush()
  }
  await flush()
  for (const letter of DERIVED) {
    const first = letter.charCodeAt(0)
    for await (const key of disk.keys({ gte: Uint8Array.of(first), lt: Uint8Array.of(first + 1) })) {
      changes.push({ key })
      if (changes.length >= asideBatchRows) await flush()
    }
  }
  await flush()
  const begun = emptyStore(net, random)
  await disk.batch([...rowsOf(begun, sha256), { key: asideMarkKey }], { sync: true })
  return begun
}

export function emptyStore(net: NetworkId, random: Random): Begun {
  return {
    meta: { format: FORMAT, net, epoch: toHex(random.bytes(16)) },
    counts: { seq: 0, ops: 0, records: Object.create(null) },
  }
}

/** What makes a disk a store. */
export function rowsOf({ meta, counts }: Begun, sha256: Sha256): Put[] {
  return [
    { key: metaKey, value: sealed(metaRow(meta), sha256) },
    { key: countsKey, value: sealed(countsRow(counts), sha256) },
  ]
}

export type AsideOptions = {
  readonly disk: Disk
  readonly net: NetworkId
  readonly sha256: Sha256
  readonly codec: Codec
  /** Takes frames in as a stranger's, durably. */
  readonly admit: (frames: readonly Uint8Array[], origin: string | undefined) => Promise<Admitted>
}
/** Frames taken in, frames with ops that lack their past, and frames that do not read back. */
export type Readmitted = { readonly taken: number; readonly waiting: number; readonly damaged: number }

/** Whether frames wait to be taken in. */
export async function hasAside(disk: Disk): Promise<boolean> {
  for await (const _ of disk.keys({ ...asideRows, limit: 1 })) return true
  return false
}

/** Takes in what can be, again and again until nothing more goes in: a frame may lie before one that it builds on. */
export async function readmit(options: AsideOptions, signal: AbortSignal): Promise<Readmitted> {
  let [taken, damaged] = [0, 0]
  for (;;) {
    const round = await readmitOnce(options, signal)
    taken += round.taken
    damaged += round.damaged
    if (round.applied === 0 || round.waiting === 0 || signal.aborted) return { taken, waiting: round.waiting, damaged }
  }
}

type Waiting = { readonly key: Uint8Array; readonly frame: ParsedFrame; readonly origin?: string }

async function readmitOnce(options: AsideOptions, signal: AbortSignal) {
  const { disk, admit } = options
  const told = { taken: 0, waiting: 0, damaged: 0, applied: 0 }
  let some: Waiting[] = []
  let bytes = 0
  const flush = async () => {
    if (some.length === 0) return
    const { results, refusedFrames } = await admit(
      some.map(({ frame }) => frame.bytes),
      some[0]!.origin,
    )
    told.applied += results.filter(({ verdict }) => verdict === 'applied').length
    const waiting = new Set(results.filter(waits).map(({ op }) => op))
    const done = some.filter(({ frame }) => !frame.entries.some(({ op }) => waiting.has(op.id)))
    told.waiting += some.length - done.length
    told.damaged += refusedFrames.length
    told.taken += done.length - refusedFrames.length
    await disk.batch(done.map(({ key }) => ({ key })))
    some = []
    bytes = 0
  }
  for await (const [key, row] of disk.entries(asideRows)) {
    if (signal.aborted) return told
    const read = readFrame(row, options)
    if (read === undefined) {
      told.damaged++
      await disk.batch([{ key }])
      continue
    }
    if (bytes >= readmitBytes || (some.length > 0 && some[0]!.origin !== read.origin)) await flush()
    some.push({ key, ...read })
    bytes += read.frame.bytes.length
  }
  await flush()
  return told
}

/** For its past; or it was held when the operator's lists came to refuse it, and they may change again. */
function waits({ verdict, reason }: OpResult): boolean {
  return verdict === 'pending' || (verdict === 'refused' && (reason === 'blocked' || reason === 'outside'))
}
