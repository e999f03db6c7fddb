/**
 * Bodies that are not there: freed here some time after an erase, or never sent by a peer.
 *
 *   key                    value
 *   b <op id 32>           empty; an op whose body is not held although no erase in force names it
 *   e <due 6> <op id 32>   empty; an op that an erase names: from then on (ms since 1970) its body may be freed
 *
 * An erase takes effect at once: its ops say nothing. Their bodies stay for a while, for a thief's erase is voided when
 * the stolen key is replaced. A body that nobody erased was kept back by whoever sent the op, so it is asked of others:
 * the op counts as not held in a good copy (store.ts).
 */
import { concat, freeBodies, fromHex, type Merged, type OpId, parseFrame, utf8 } from '../crdt/index.ts'
import type { Del, Put } from './disk.ts'
import { freeOpsMax } from './limits.ts'
import { idOfKey, storedFrameRow, timeBytes } from './rows.ts'
import type { Store } from './store.ts'

export const missingBodyRows = { gte: utf8('b'), lt: utf8('c') }
export const missingBodyKey = (id: OpId) => concat(B, fromHex(id))

/** Ops whose body is missing now, and no longer. */
export type MissingBodies = { readonly now: readonly OpId[]; readonly no: readonly OpId[] }

/** What follows from how a record was merged before and is now: rows, and what they say of missing bodies. */
export function bodyChanges(
  before: Merged | undefined,
  after: Merged,
  due: number,
): MissingBodies & { readonly rows: readonly (Put | Del)[] } {
  const now = missingFrom(before?.incomplete, after.incomplete)
  const no = missingFrom(after.incomplete, before?.incomplete)
  const rows = [
    ...now.map((id): Put => ({ key: missingBodyKey(id), value: NONE })),
    ...no.map((id): Del => ({ key: missingBodyKey(id) })),
    ...missingFrom(before?.erased, after.erased).map((id): Put => ({ key: dueKey(due, id), value: NONE })),
  ]
  return { now, no, rows }
}

/** Frees the bodies whose time has come: some of them; answers how many ops it looked at. */
export async function freeErased(store: Store, now: number): Promise<number> {
  const rows: { key: Uint8Array; id: OpId }[] = []
  for await (const key of store.keys({ gte: E, lte: concat(E, timeBytes(now), LAST_ID), limit: freeOpsMax })) {
    rows.push({ key, id: idOfKey(key) })
  }
  if (rows.length === 0) return 0
  const erased = new Set<OpId>()
  const records = new Set<string>()
  const ops = await store.ops(rows.map(({ id }) => id))
  for (const { id, header } of ops.values()) {
    // An erase that was voided meanwhile frees nothing; should it come back, so does its row.
    if ((await store.record(header.record))?.erased?.includes(id)) erased.add(id)
    records.add(header.record)
  }
  const changes: (Put | Del)[] = rows.map(({ key }) => ({ key }))
  const seqs: number[] = []
  for (const [seq, ids] of await store.byFrame([...erased])) {
    const found = await store.frameWith(seq, ids)
    if (found === undefined) continue
    const bytes = freeBodies(found.stored.frame, new Set(found.ids), store.sha256)
    const parsed = parseFrame(bytes, store.meta.net, store.sha256)
    if (!parsed.ok) throw new Error(`a frame without bodies does not read back: ${parsed.reason}`)
    changes.push(await storedFrameRow({ ...found.stored, frame: parsed.frame }, store.codec, store.sha256))
    seqs.push(seq)
  }
  await store.rewrite(changes, seqs, [...records])
  return rows.length
}

const B = utf8('b')
const E = utf8('e')
const LAST_ID = new Uint8Array(32).fill(0xff)
const NONE = new Uint8Array(0)
const dueKey = (due: number, id: OpId) => concat(E, timeBytes(due), fromHex(id))

/** What is in the second list and not in the first. */
function missingFrom(first: readonly OpId[] | undefined, second: readonly OpId[] | undefined): OpId[] {
  if (second === undefined) return []
  const known = new Set(first)
  return second.filter((id) => !known.has(id))
}
