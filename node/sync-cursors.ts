/**
 * How far we have read each peer's log, kept over restarts.
 *
 * One small row for all peers, written behind the ops it speaks of: LevelDB's log keeps that order, so a cursor that
 * survives a crash survives with its ops. Should a disk lose ops all the same, roots differ and all ids are compared.
 * They hold for the epoch of our own log in which they were written: a store that was built anew may lack what it had read.
 */
import { decode, encode, fromHex, toHex, type Value } from '../crdt/index.ts'
import { syncCursorsMax } from './limits.ts'
import type { ReplicaFace } from './replica-types.ts'
import type { Cursor } from './sync-messages.ts'

export type PeerCursor = Cursor & {
  /** The end of our own log at that time. */
  readonly mine: number
}

const NOTE = 'sync/cursors'

export class Cursors {
  readonly #replica: ReplicaFace
  /** The longest unused first. */
  readonly #cursors = new Map<string, PeerCursor>()
  #writing: Promise<void> = Promise.resolve()
  #dirty = false

  private constructor(replica: ReplicaFace) {
    this.#replica = replica
  }

  /** Reads the row; one that does not read back, or is of another epoch, means that every log is read from its start. */
  static async open(replica: ReplicaFace): Promise<Cursors> {
    const cursors = new Cursors(replica)
    const bytes = await replica.note(NOTE)
    const row = bytes ? decode(bytes) : undefined
    const [epoch, entries] = row?.ok && Array.isArray(row.value) ? (row.value as Value[]) : []
    const isOurs = epoch instanceof Uint8Array && toHex(epoch) === replica.epoch
    if (isOurs && Array.isArray(entries)) for (const entry of entries) cursors.#read(entry)
    return cursors
  }

  get(peer: string): PeerCursor | undefined {
    return this.#cursors.get(peer)
  }

  /** Resolves when it is written, at the latest together with what was set while a write was under way. */
  set(peer: string, cursor: PeerCursor): Promise<void> {
    const before = this.#cursors.get(peer)
    this.#cursors.delete(peer)
    this.#cursors.set(peer, cursor)
    if (before && before.epoch === cursor.epoch && before.seq === cursor.seq) return this.#writing
    for (const oldest of this.#cursors.keys()) {
      if (this.#cursors.size <= syncCursorsMax) break
      this.#cursors.delete(oldest)
    }
    if (this.#dirty) return this.#writing
    this.#dirty = true
    this.#writing = this.#writing.catch(() => {}).then(() => this.#write())
    return this.#writing
  }

  #write(): Promise<void> {
    this.#dirty = false
    const rows = [...this.#cursors].map(([peer, { epoch, seq, mine }]) => [peer, fromHex(epoch), seq, mine])
    return this.#replica.setNote(NOTE, encode([fromHex(this.#replica.epoch), rows]))
  }

  #read(entry: Value): void {
    if (!Array.isArray(entry)) return
    const [peer, epoch, seq, mine] = entry as Value[]
    if (
      typeof peer !== 'string' ||
      !(epoch instanceof Uint8Array) ||
      typeof seq !== 'number' ||
      typeof mine !== 'number'
    )
      return
    this.#cursors.set(peer, { epoch: toHex(epoch), seq, mine })
  }
}
