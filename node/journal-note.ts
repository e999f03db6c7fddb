/**
 * Whether the signing journal is the one that this store was written with, and whole.
 *
 * A journal that is gone, or whose end is, knows less than the key has signed: the store could be set back and nothing
 * would show it. So the store notes with each own write how long the journal was by then. Where it is shorter, nothing
 * is signed until a peer was met (signing.ts), and then it is told again all that it should know.
 */
import { type ActorKey, IdSet, type OpId, ownerOfKey, type RecordId, type Sha256, utf8 } from '../crdt/index.ts'
import type { Put } from './disk.ts'
import { journalCompleteOps } from './limits.ts'
import type { Journal, Log, ReplicaOptions } from './replica-types.ts'
import { JOURNAL, noteKey, RESTORED, sealed } from './rows.ts'
import type { Store } from './store.ts'

/** To be written with ops of our own. */
export function journalNote(journal: Journal, sha256: Sha256): Put {
  return { key: noteKey(JOURNAL), value: sealed(sizeOf(journal), sha256) }
}

/** At the end, when all of the journal is durable. */
export async function noteJournal(journal: Journal, store: Store): Promise<void> {
  await store.setNote(JOURNAL, sizeOf(journal), { sync: true })
}

/** How long the journal was at least; 0 when that is not known. */
export function readJournalNote(value: Uint8Array | undefined): number {
  return Number(new TextDecoder().decode(value)) || 0
}

/** Whether the key may have signed what neither the store nor the journal knows. Remembered until `noteSigning`. */
export async function mustMeetPeer(
  store: Store,
  { journal, signer }: Pick<ReplicaOptions, 'journal' | 'signer'>,
  log: Log,
): Promise<boolean> {
  if (journal !== undefined && signer !== undefined && (await isLost(journal, store, signer.key))) {
    await store.setNote(RESTORED, utf8('1'), { sync: true })
    log('error', 'the signing journal is gone, or its end is; nothing is signed until a peer was met')
    return true
  }
  if ((await store.note(RESTORED)) === undefined) return false
  log('warn', 'this store was restored from a backup, or its journal was lost; nothing is signed until a peer was met')
  return true
}

/** From now on the key may sign. */
export async function noteSigning(journal: Journal | undefined, store: Store): Promise<void> {
  if (journal !== undefined) {
    await journal.begin()
    await noteJournal(journal, store)
  }
  await store.setNote(RESTORED, undefined, { sync: true })
}

/** Begins that of a key which has signed nothing; one that the store does not know of yet is told all, once. */
export async function beginJournal(journal: Journal, store: Store, key: ActorKey): Promise<void> {
  await journal.begin()
  if ((await store.note(JOURNAL)) !== undefined || !(await hasSigned(store, key))) return
  await completeJournal(journal, store, key)
  await noteJournal(journal, store)
}

async function isLost(journal: Journal, store: Store, key: ActorKey): Promise<boolean> {
  if (journal.size > 0 && journal.size >= readJournalNote(await store.note(JOURNAL))) return false
  // An empty one is right where the key has signed nothing yet.
  return hasSigned(store, key)
}

async function hasSigned(store: Store, key: ActorKey): Promise<boolean> {
  const [own] = await store.usages([ownerOfKey(key)])
  return own!.bytes > 0
}

/** Tells the journal of all ops of our own in the store that it does not know. Not while any is being signed. */
export async function completeJournal(journal: Journal, store: Store, key: ActorKey): Promise<void> {
  const known = new IdSet(store.sha256)
  for await (const { op } of journal.entries()) known.add(op)
  let unknown: { record: RecordId; op: OpId }[] = []
  const tell = async () => {
    if (unknown.length === 0) return
    await journal.append(unknown)
    await journal.settle()
    unknown = []
  }
  for await (const { frame } of store.framesSince(0)) {
    for (const { op } of frame.entries) {
      if (op.header.actor === key && known.add(op.id)) unknown.push({ record: op.header.record, op: op.id })
    }
    if (unknown.length >= journalCompleteOps) await tell()
  }
  await tell()
}

function sizeOf({ size }: Journal): Uint8Array {
  return utf8(String(size))
}
