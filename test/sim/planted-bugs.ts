/**
 * Bugs to be planted, one at a time, in the real sources: each a piece of a file and what stands there instead. The
 * simulation must find every one of them, or its silence about the code as it is means little.
 *
 * `find` must be in the file exactly once; planted-bugs.test.ts says so when the code has moved on. A bug that the design
 * heals by itself (a parent that nobody wakes, a cursor that ran ahead, a log that is not given back to whoever lost it,
 * an op put off that no kind knows of until it is due: the next comparison brings what is missing) is not in the list: it
 * costs time, not the goals. Nor is one that shows in fewer than one of a thousand worlds, and has a test of its own: a
 * node of some kinds that writes in others, which gossip carries on; records merged again and not synced.
 */
export type PlantedBug = {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  // What is taken in.
  {
    name: 'a signature is not looked at',
    file: 'node/admit.ts',
    find: 'if (fresh[i] && !authentic.has(frame))',
    replace: 'if (false)',
  },
  {
    name: 'a parent need not be held',
    file: 'node/settle.ts',
    find: 'const judgement = await this.#judgeNew(op)',
    replace:
      "const judgement = await this.#judgeNew(op)\n    if ('missing' in judgement && group.genesisOf(op.header.record) && op.header.via === undefined) {\n      await group.take(op, carrier)\n      return { valid: true, owner: '' }\n    }",
  },
  {
    name: 'a parent may be in another record',
    file: 'node/settle.ts',
    find: "else if (parentRecord !== record) return { refused: 'wrong-record' }",
    replace: '',
  },
  {
    name: 'anybody may write anywhere',
    file: 'node/settle.ts',
    find: 'if (byOwner && genesis.owner !== ownerOfKey(op.header.actor))',
    replace: 'if (false)',
  },
  {
    name: 'a frame is kept whole, also when only some of its ops were taken',
    file: 'node/append.ts',
    find: 'if (taken.size === frame.entries.length && frame.refused.length === 0) return frame',
    replace: 'return frame',
  },
  {
    name: 'the time to come is no reason to wait',
    file: 'node/settle.ts',
    find: 'const refusal = refused.get(op.id)',
    replace:
      "if (op.header.w > this.#parts.clock.now() + 60_000) return { op: op.id, verdict: 'refused', reason: 'future' }\n    const refusal = refused.get(op.id)",
  },
  {
    name: 'an op that is put off may lack its parents',
    file: 'node/settle.ts',
    find: 'if (!group.isPrefetched(op)) await group.prefetch([op])',
    replace:
      "if (!group.isPrefetched(op)) await group.prefetch([op])\n      if (this.#isLive && op.header.w > this.#parts.clock.now() + clockAheadMsMax) {\n        candidate.verdict = { op: op.id, verdict: 'pending', reason: 'future' }\n        this.#ahead.push(candidate)\n        continue\n      }",
  },
  {
    name: 'what builds on an op that is put off waits as long',
    file: 'node/settle.ts',
    find: 'if (putOff?.due !== undefined)',
    replace: 'if (false)',
  },
  {
    name: 'a stranger’s error is everybody’s',
    file: 'node/settle.ts',
    find: 'misbehaved: refusedFrames > 0 || dishonest',
    replace: 'misbehaved: refusedFrames > 0 || dishonest || missing.size > 0',
  },
  // What is written.
  {
    name: 'own writes are not synced',
    file: 'node/writer.ts',
    find: 'sync || own.length > 0)',
    replace: 'sync)',
  },
  {
    name: 'others’ writes are acknowledged unsynced',
    file: 'node/writer.ts',
    find: "if (job.is === 'admit') sync ||= job.sync",
    replace: '',
  },
  {
    name: 'a write is acknowledged before it is on disk',
    file: 'node/writer.ts',
    find: 'failure = await this.#store(',
    replace: 'for (const answer of [...answers, ...ownAnswers]) answer(undefined)\n      failure = await this.#store(',
  },
  {
    name: 'a failed write is acknowledged',
    file: 'node/writer.ts',
    find: 'throw committed.reason',
    replace: 'return undefined',
  },
  {
    name: 'ops and records are two batches',
    file: 'node/store.ts',
    find: 'await this.#disk.batch(prepared.changes, { sync })',
    replace:
      'await this.#disk.batch(prepared.changes.slice(0, -2), { sync })\n    await this.#disk.batch(prepared.changes.slice(-2), { sync })',
  },
  {
    name: 'the counts are not written',
    file: 'node/append.ts',
    find: 'changes.push({ key: countsKey, value: sealed(countsRow(after), sha256) })',
    replace: '',
  },
  {
    name: 'a cached record is not replaced',
    file: 'node/store-records.ts',
    find: 'this.#records.set(merged.record, merged, row.length)',
    replace: '',
  },
  {
    name: 'arrival numbers skip one',
    file: 'node/append.ts',
    find: 'seq += frame.entries.length',
    replace: 'seq += frame.entries.length + Number(frame.entries.length > 1)',
  },
  // The node's own key.
  {
    name: 'the journal is not written',
    file: 'node/writer.ts',
    find: 'journal.append(told)',
    replace: 'Promise.resolve()',
  },
  {
    name: 'the journal is not compared',
    file: 'node/signing.ts',
    find: 'return this.#forked.size > 0 &&',
    replace: 'return false &&',
  },
  {
    name: 'a restored backup signs before it has met a peer',
    file: 'node/signing.ts',
    find: '  check(): void {\n    if (!this.#isRestored) return',
    replace: '  check(): void {\n    return',
  },
  {
    name: 'a journal that is gone is no reason to wait',
    file: 'node/journal-note.ts',
    find: '  return hasSigned(store, key)',
    replace: '  return false',
  },
  {
    name: 'the journal is not compared before the key says who may write',
    file: 'node/write.ts',
    find: 'if (ops.length > 0) checkNotForked(now.record, author)',
    replace: '',
  },
  // Merging.
  {
    name: 'ids are compared as a locale does',
    file: 'crdt/place.ts',
    find: 'const difference = compareText(a[i] as string, b[i] as string)',
    replace: 'const difference = (a[i] as string).localeCompare(b[i] as string)',
  },
  {
    name: 'members of sets are sorted as a locale does',
    file: 'crdt/place.ts',
    find: "if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)",
    replace: "if (typeof a === 'string' && typeof b === 'string') return compareText(b, a)",
  },
  {
    name: 'the later id wins a tie',
    file: 'crdt/alive.ts',
    find: 'return later !== 0 ? later : a.op.id < b.op.id ? -1 : 1',
    replace: 'return later !== 0 ? later : a.op.id < b.op.id ? 1 : -1',
  },
  {
    name: 'a head is dropped',
    file: 'crdt/dag.ts',
    find: 'return [...heads].sort()',
    replace: 'return [...heads].sort().slice(0, 2)',
  },
  {
    name: 'a delete is not heard by what is beside it',
    file: 'crdt/merge.ts',
    find: 'return effective.filter((at) => last.every((before) => before === at || dag.isPast(before, at)))',
    replace: 'return effective',
  },
  {
    name: 'the fast path does not look at the head',
    file: 'crdt/fold.ts',
    find: '!before.live || !parents.includes(before.heads[0] as OpId)) return undefined',
    replace: '!before.live) return undefined',
  },
  {
    name: 'a deleted record still shows what it said',
    file: 'crdt/fold.ts',
    find: '    this.#clear()\n    this.#live = false',
    replace: '    this.#live = false',
  },
  {
    name: 'records are not merged again once the disk has failed',
    file: 'node/wake.ts',
    find: '.then(() => writer.rejudge([]))',
    replace: '',
  },
  {
    name: 'where an op belongs is not read anew when damage is mended',
    file: 'node/writer.ts',
    find: 'if (prepared.repaired.length > 0) set.reread(store.counts)',
    replace: '',
  },
  // Between nodes.
  {
    name: 'gossip passes on what it did not verify',
    file: 'node/gossip.ts',
    find: "if (!admitted.verified) return 'known'",
    replace: '',
  },
  {
    name: 'gossip passes on what it refused',
    file: 'node/gossip.ts',
    find: "outcome === 'rejected' ? 'reject' : 'ignore'",
    replace: "outcome === 'rejected' ? 'accept' : 'ignore'",
  },
  {
    name: 'nobody hears what a broken session leaves behind',
    file: 'node/sync-link.ts',
    find: 'promise.catch(() => {})',
    replace: '',
  },
  {
    name: 'a peer is never asked again after a failure',
    file: 'node/sync-peer.ts',
    find: 'const wait = Math.min(syncBackoffMsMax, syncBackoffMs * 2 ** this.#failures++)',
    replace: 'const wait = Number.MAX_SAFE_INTEGER',
  },
  {
    name: 'sessions are held for news only',
    file: 'node/sync.ts',
    find: 'if (peer !== undefined) this.soon(peer)',
    replace: '',
  },
  {
    name: 'ids that could not be sorted once are never sorted',
    file: 'node/op-set.ts',
    find: 'if (!wasQuick) this.#again =',
    replace: 'if (false) this.#again =',
  },
  {
    name: 'what only a peer has is not asked for when ids are compared',
    file: 'node/sync-session.ts',
    find: 'return this.#puller.pick(width, theirs)',
    replace: 'return 0',
  },
  {
    name: 'one answer more than the window is an answer too many',
    file: 'node/sync-pull.ts',
    find: 'else this.#room--',
    replace: 'else this.#room -= 2',
  },
  {
    name: 'a session that waits for its peer waits for ever',
    file: 'node/sync-session.ts',
    find: 'this.#options.channel.receive({ timeoutMs: syncIdleTimeoutMs })',
    replace: 'this.#options.channel.receive()',
  },
]
