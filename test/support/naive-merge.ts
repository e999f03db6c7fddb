/**
 * The stupid merge: SPEC.md, "Merge", written down definition by definition, with every pair of ops and of writes
 * looked at. It shares with crdt/merge.ts the codec and nothing else: it reads bodies itself and merges text itself. Who
 * may write is for naive-authority.ts.
 */

import { sha256 } from '@noble/hashes/sha2.js'
import type { Alternative, Conflict, Merged, Op, Path, Value } from '../../crdt/index.ts'
import { decode, encode, toHex, utf8 } from '../../crdt/index.ts'
import type { NaiveAuthority } from './naive-authority.ts'
import { naiveText } from './naive-text.ts'

// biome-ignore lint/suspicious/noExplicitAny: what strangers say has any shape; to name each would hide the rules.
type Any = any
type Write = { path: Path; member?: Value; value?: Value; text?: string }
type Splice = { path: Path; epoch: string; at: number; del: number; ins: string }
type Placed<T> = T & { op: Op; index: number }
type Said = { effective: boolean; slug?: string; writes: (Write | Splice)[] }

/** The valid ops of one record; without `authority` all are the owner's. */
export function naiveMerge(input: readonly Op[], authority: NaiveAuthority = OWNER_ALONE): Merged {
  const ops = [...new Map(input.map((op) => [op.id, op])).values()]
  const pasts = pastsOf(ops)
  const inPast = (x: Op, y: Op) => pasts.get(y.id)!.has(x.id)
  const isVoided = (op: Op) => authority.voided.has(op.id)
  const said = new Map(ops.map((op) => [op.id, readBy(op, authority)]))
  const inOrder = (a: Placed<unknown>, b: Placed<unknown>) => {
    if (a.op === b.op) return b.index - a.index
    const ranks = authority.chain(a.op).length - authority.chain(b.op).length
    return ranks || b.op.header.w - a.op.header.w || (a.op.id < b.op.id ? -1 : 1)
  }
  const sees = (later: Placed<unknown>, earlier: Placed<unknown>) =>
    inPast(earlier.op, later.op) || (earlier.op === later.op && earlier.index < later.index)

  const effective = ops.filter((op) => said.get(op.id)!.effective && !isVoided(op))
  const deletes = effective.filter((op) => op.header.type === 4)
  const contributing = effective.filter((op) => deletes.every((d) => d === op || inPast(d, op)))
  const placed = (op: Op) => said.get(op.id)!.writes.map((write, index) => ({ ...write, op, index }))
  const all = contributing.flatMap(placed)
  const writes = all.filter((write): write is Placed<Write> => !('epoch' in write))
  const covers = (later: Placed<Write>, earlier: Placed<Write>) =>
    sees(later, earlier) &&
    authority.mayWrite(later.op, earlier.path) &&
    (samePlace(later, earlier) || (contains(earlier, later) ? isPresent(later) : contains(later, earlier)))

  // Texts.
  const epochs = writes.filter(
    (write) => write.text !== undefined && !writes.some((w) => w.op === write.op && covers(w, write)),
  )
  const splices: Placed<Splice & { of: Placed<Write> }>[] = []
  // What the voided spliced holds its place.
  const waiting = [...all, ...ops.filter(isVoided).flatMap(placed)].filter(
    (write): write is Placed<Splice> => 'epoch' in write,
  )
  waiting.sort((a, b) => pasts.get(a.op.id)!.size - pasts.get(b.op.id)!.size || byBytes(a.op.id, b.op.id))
  for (const splice of waiting) {
    const of = epochs.find((e) => e.op.id === splice.epoch && samePath(e.path, splice.path) && inPast(e.op, splice.op))
    if (of === undefined) continue
    if (splices.filter((other) => other.of === of && sees(splice, other)).length >= 512) continue
    splices.push({ ...splice, of })
  }
  const textOf = (epoch: Placed<Write>) => {
    const mine = splices.filter(({ of }) => of === epoch)
    const edits = [...new Set(mine.map(({ op }) => op))].map((op) => ({
      op: op.id,
      splices: mine.filter((splice) => splice.op === op).sort((a, b) => a.index - b.index),
      past: pasts.get(op.id)!,
      voided: isVoided(op),
    }))
    return naiveText(epoch.text!, edits)
  }
  const resolved = writes.map((write) =>
    epochs.includes(write) ? { ...write, value: textOf(write), epoch: write } : write,
  )

  // Alive, shown, blocked.
  type Resolved = Placed<Write> & { epoch?: Placed<Write> }
  const alive: Resolved[] = resolved.filter((write) => !writes.some((other) => covers(other, write))).sort(inOrder)
  const shown: Resolved[] = []
  const behind: { under: Resolved | Path; write: Placed<Write> }[] = []
  /** Shown writes that block one which says the same. */
  const twins = new Set<Resolved>()
  const blocks = (a: Write, b: Write) =>
    samePlace(a, b) || (isPresent(a) && isPresent(b) && (contains(a, b) || contains(b, a)))
  const isSame = (a: Write, b: Write) =>
    samePlace(a, b) && bytesOf(a.value ?? 'absent') === bytesOf(b.value ?? 'absent') && isPresent(a) === isPresent(b)
  for (const write of alive) {
    const blocker = shown.find((other) => blocks(other, write))
    if (blocker === undefined) shown.push(write)
    else if (isSame(write, blocker)) twins.add(blocker)
    else behind.push({ under: blocker, write })
  }
  const lostOf = (epoch: Placed<Write>) => {
    const covering = writes.filter((write) => covers(write, epoch))
    const lost = splices.filter(
      ({ of, ...splice }) => of === epoch && !isVoided(splice.op) && !covering.some((write) => sees(write, splice)),
    )
    return covering.length > 0 ? lost.sort(inOrder) : []
  }
  const orphanCovers: Placed<Write>[] = []
  let lostAny = false
  for (const epoch of epochs) {
    const [first] = lostOf(epoch)
    if (first === undefined) continue
    lostAny = true
    const write = { path: epoch.path, value: textOf(epoch), op: first.op, index: first.index }
    const blocker = shown.find((other) => blocks(other, write))
    if (blocker === undefined) {
      behind.push({ under: epoch.path, write })
      orphanCovers.push(...writes.filter((other) => covers(other, epoch)).map((by) => ({ ...by, path: epoch.path })))
    } else if (isSame(write, blocker)) twins.add(blocker)
    else behind.push({ under: blocker, write })
  }
  behind.sort((a, b) => inOrder(a.write, b.write))

  const conflicts: { place: string; conflict: Conflict }[] = []
  const described = (write: Placed<Write>, under: Path, value = write.value): Alternative => ({
    ...(value === undefined ? {} : { value }),
    ...(samePath(write.path, under) ? {} : { path: write.path }),
    ...(write.member === undefined ? {} : { member: write.member as never }),
    actor: write.op.header.actor,
    w: write.op.header.w,
    op: write.op.id,
  })
  for (const first of shown) {
    const others = behind.filter(({ under }) => under === first).map(({ write }) => described(write, first.path))
    const place = bytesOf(first.path) + (first.member === undefined ? '' : bytesOf(first.member))
    const conflict = { path: first.path, alternatives: [described(first, first.path), ...others] }
    if (others.length > 0) conflicts.push({ place, conflict })
  }
  for (const path of new Set(
    behind
      .map(({ under }) => under)
      .filter(Array.isArray)
      .map((path) => JSON.stringify(path)),
  )) {
    const at: Path = JSON.parse(path)
    const others = behind.filter(({ under }) => Array.isArray(under) && samePath(under, at))
    const by = orphanCovers.filter((write) => samePath(write.path, at)).sort(inOrder)[0]!
    const bare = { path: at, op: by.op, index: by.index }
    const alternatives = [described(bare, at), ...others.map(({ write }) => described(write, at))]
    conflicts.push({ place: bytesOf(at), conflict: { path: at, alternatives } })
  }
  conflicts.sort((a, b) => byBytes(a.place, b.place))

  // The document.
  const doc: Record<string, Any> = Object.create(null)
  const sets: Path[] = []
  for (const write of shown.filter(isPresent)) {
    let map = doc
    for (const segment of write.path.slice(0, -1)) {
      map[segment] ??= Object.create(null)
      map = map[segment]
    }
    const last = write.path.at(-1)!
    if (write.member === undefined) map[last] = write.value
    else {
      if (map[last] === undefined) sets.push(write.path)
      map[last] = [...(map[last] ?? []), write.member].sort((a, b) => byBytes(bytesOf(a), bytesOf(b)))
    }
  }
  const byPath = (a: Path, b: Path) => byBytes(bytesOf(a), bytesOf(b))
  const isMap = (value: Any) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  const geneses = ops.filter((op) => op.header.type === 1)
  const { owner, kind, slugHash } = geneses[0]!.header.genesis!
  const slug = [...said.values()]
    .map((one) => one.slug)
    .find((text) => text?.trim() && toHex(sha256(utf8(text))) === slugHash)
  const begun = geneses.filter((op) => !isVoided(op) && !authority.erased.has(op.id))
  const timed = contributing.length > 0 ? contributing : ops
  return {
    record: geneses[0]!.header.record,
    owner,
    kind,
    ...(slug === undefined ? {} : { slug }),
    live: contributing.some((op) => writes.some((write) => write.op === op)),
    doc,
    heads: ops
      .filter((op) => !ops.some(({ header }) => header.parents.includes(op.id)))
      .map(({ id }) => id)
      .sort(),
    conflicts: conflicts.map(({ conflict }) => conflict),
    registeredAt: Math.min(...(begun.length > 0 ? begun : geneses).map((op) => op.header.w)),
    changedAt: Math.max(...timed.map((op) => op.header.w)),
    opCount: ops.length,
    line:
      geneses.length === 1 && !lostAny && ops.every((x) => ops.every((y) => x === y || inPast(x, y) || inPast(y, x))),
    texts: shown
      .filter(({ epoch }) => epoch !== undefined)
      .map((write) => ({
        path: write.path,
        epoch: write.op.id,
        splices: splices.filter(({ of }) => of === write.epoch).length,
        ...(twins.has(write) ? { twin: true as const } : {}),
      }))
      .sort((a, b) => byPath(a.path, b.path)),
    sets: sets.sort(byPath),
    registers: shown
      .filter(({ value, member }) => member === undefined && isMap(value) && Object.keys(value as object).length > 0)
      .map(({ path }) => path)
      .sort(byPath),
  }
}

/** Ids of all ops that are reached through parents: parents are added until nothing changes. */
function pastsOf(ops: readonly Op[]): Map<string, Set<string>> {
  const pasts = new Map(ops.map((op) => [op.id, new Set(op.header.parents)]))
  for (let before = -1, now = 0; before !== now; ) {
    before = now
    for (const past of pasts.values()) for (const id of [...past]) for (const older of pasts.get(id)!) past.add(older)
    now = [...pasts.values()].reduce((sum, past) => sum + past.size, 0)
  }
  return pasts
}

function isPresent(write: Write): boolean {
  return write.value !== undefined || write.text !== undefined
}

function samePath(a: Path, b: Path): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function samePlace(a: Write, b: Write): boolean {
  if (!samePath(a.path, b.path) || (a.member === undefined) !== (b.member === undefined)) return false
  return a.member === undefined || bytesOf(a.member) === bytesOf(b.member as Value)
}

function contains(a: Write, b: Write): boolean {
  const strictlyAbove = a.path.length < b.path.length && samePath(a.path, b.path.slice(0, a.path.length))
  const strictlyBelow = b.path.length < a.path.length && samePath(b.path, a.path.slice(0, b.path.length))
  if (strictlyAbove) return true
  if (b.member !== undefined && strictlyBelow) return true
  return samePath(a.path, b.path) && a.member === undefined && b.member !== undefined
}

function bytesOf(value: Value): string {
  return toHex(encode(value, { depth: 64, items: Infinity }))
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const OWNER_ALONE: NaiveAuthority = {
  voided: new Map(),
  inert: new Set(),
  erased: new Set(),
  kept: new Set(),
  saved: false,
  chain: () => [],
  mayWrite: () => true,
  answers: 1,
}

// Bodies.

/** Inert by authority or erased: nothing. Writes and splices where the op may not write: left out. */
function readBy(op: Op, authority: NaiveAuthority): Said {
  if (authority.erased.has(op.id) || authority.inert.has(op.id)) return { effective: false, writes: [] }
  const said = read(op)
  return { ...said, writes: said.writes.filter(({ path }) => authority.mayWrite(op, path)) }
}

function read(op: Op): Said {
  const inert = { effective: false, writes: [] }
  if (op.header.type === 4) return op.body.length === 0 ? { effective: true, writes: [] } : inert
  if (op.header.type > 4) return inert
  const body = decode(op.body)
  if (!body.ok) return inert
  const value = body.value as Any
  if (op.header.type === 3) {
    return Array.isArray(value) ? { effective: true, writes: value.flatMap(readVerb) } : inert
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return inert
  const keys = Object.keys(value).sort().join()
  if (keys !== 'f,s,t' && !(keys === 'f,s,slug,t' && typeof value.slug === 'string')) return inert
  if (![value.f, value.s, value.t].every(Array.isArray)) return inert
  const pair = (name: string, rest: Any[]) => (entry: Any) =>
    Array.isArray(entry) && entry.length === 2 ? readVerb([name, ...entry, ...rest]) : []
  return {
    effective: true,
    slug: value.slug,
    writes: [
      { path: [] },
      ...value.f.flatMap(pair('set', ['reg'])),
      ...value.s.flatMap(pair('add', [])),
      ...value.t.flatMap(pair('text', [])),
    ],
  }
}

function readVerb(verb: Any): (Write | Splice)[] {
  if (!Array.isArray(verb)) return []
  const [name, path, a, b, c, d] = verb
  if (!isPath(path)) return []
  const root = path.length === 0
  if (name === 'del' && verb.length === 2) return [{ path }]
  if (name === 'text' && verb.length === 3 && typeof a === 'string' && !root) return [{ path, text: a }]
  if ((name === 'add' || name === 'rem') && verb.length === 3 && !root) {
    if (!Array.isArray(a) || a.length > 4096 || !a.every(isMember)) return []
    return a.map((member: Value) => (name === 'add' ? { path, member, value: member } : { path, member }))
  }
  if (name === 'splice' && verb.length === 6) {
    const isCount = (n: Any) => Number.isSafeInteger(n) && n >= 0
    if (!(a instanceof Uint8Array) || a.length !== 32 || !isCount(b) || !isCount(c) || typeof d !== 'string') return []
    return [{ path, epoch: toHex(a), at: b, del: c, ins: d }]
  }
  if (name === 'set' && (verb.length === 3 || (verb.length === 4 && b === 'reg')) && fits(a)) {
    const map = typeof a === 'object' && a !== null && !Array.isArray(a) && !(a instanceof Uint8Array)
    if (root && !map) return []
    if (!map || (verb.length === 4 && !root) || (Object.keys(a).length === 0 && !root)) return [{ path, value: a }]
    const leaves = leavesOf(path, a)
    return leaves.every((leaf) => leaf.path.length <= 16) ? [{ path }, ...leaves] : []
  }
  return []
}

function leavesOf(path: Path, map: Any): Write[] {
  const keys = Object.keys(map).sort((a, b) => byBytes(bytesOf(a), bytesOf(b)))
  return keys.flatMap((key) => {
    const value = map[key]
    const at = [...path, key]
    const plain = typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array
    return plain || Object.keys(value).length === 0 ? [{ path: at, value }] : leavesOf(at, value)
  })
}

function isPath(path: Any): path is Path {
  return Array.isArray(path) && path.length <= 16 && path.every((s) => typeof s === 'string' && utf8(s).length <= 128)
}

function isMember(member: Any): boolean {
  const scalar = typeof member !== 'object' || member === null || member instanceof Uint8Array
  return scalar && encode(member).length <= 1024
}

function fits(value: Any): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return true
  if (Array.isArray(value)) return value.length <= 4096 && value.every(fits)
  const keys = Object.keys(value)
  return keys.length <= 4096 && keys.every((key) => utf8(key).length <= 128 && fits(value[key]))
}
