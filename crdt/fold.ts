/**
 * The straight line: folding ops one by one onto a record whose ops form one line from one genesis, each write first
 * removing what it covers (SPEC.md, "The straight line"). Gives exactly what `merge` gives, at the cost of what the op
 * touches; nearly every record of a catalogue never needs more.
 *
 * A fold knows the document, not the ops behind it. Where that is not enough, it says so and `merge` decides.
 */
import type { OwnerAuthority } from './authority.ts'
import { type Content, readBody, readDocument, readEntries, type Splice, type Write } from './body.ts'
import { toHex, utf8 } from './bytes.ts'
import { scalarKey } from './equal.ts'
import { isPlain, judgeAlone } from './judge.ts'
import { layout } from './layout.ts'
import { SPLICES_MAX } from './limits.ts'
import { type Judged, judgedBy, type Merged, type ShownText } from './merge.ts'
import { isSlug } from './names.ts'
import { DELETE, ERASE, type Op, type OpId, type Owner, type RecordId } from './op.ts'
import { compareMembers, comparePaths, pathKey } from './place.ts'
import { pureSha256, type Sha256 } from './suite.ts'
import { applySplice } from './text.ts'
import { isMap, newMap, type Path, type Scalar, type Value, type ValueMap } from './value.ts'

/**
 * The record after one more op, or undefined when `merge` over all ops has to say: when the op does not follow on the
 * one head of a straight line, when the record is not live, when a splice names a text that is not the shown one, or
 * when authority is to be looked at. `before` is left as it is; what did not change is shared with it. An op is to be
 * given once. `authority`: the owner's; without it no op of the record may rely on any.
 */
export function extend(
  before: Merged | undefined,
  op: Op,
  sha256: Sha256 = pureSha256,
  authority?: OwnerAuthority,
): Merged | undefined {
  const { genesis, parents, via, type } = op.header
  if (type === ERASE || op.freed) return undefined
  let judged: Judged | undefined
  if (via !== undefined || before?.judged !== undefined) {
    if (authority === undefined || !isPlain(judgeAlone(op, authority))) return undefined
    judged = judgedBy(new Set([...(before?.judged?.vias ?? []), ...(via === undefined ? [] : [via])]), authority)
    // Somebody's authority was taken: what of it was kept only the whole record shows.
    if (judged.stamp !== '') return undefined
  }
  if (before === undefined) {
    if (genesis === undefined) return undefined
  } else if (!before.line || !before.live || !parents.includes(before.heads[0] as OpId)) return undefined
  const fold = before === undefined ? Fold.start(op) : Fold.from(before)
  if (!fold.take(op, sha256)) return undefined
  return judged === undefined ? fold.merged() : { ...fold.merged(), judged }
}

/** All ops of a straight line, in order. Undefined as for `extend`. */
export function foldLine(ops: readonly Op[], sha256: Sha256): Merged | undefined {
  const fold = Fold.start(ops[0] as Op)
  for (const op of ops) if (!fold.take(op, sha256)) return undefined
  return fold.merged()
}

/** What is known of a genesis that stands alone. */
export type First = {
  readonly id: OpId
  readonly record: RecordId
  readonly owner: Owner
  readonly kind: string
  readonly slugHash: string
  readonly w: number
  readonly body: Uint8Array
}

/** What is read of a record that a genesis alone makes; the rest is the same for all of them (first.ts). */
export type FirstSaid = Pick<Merged, 'slug' | 'doc' | 'texts' | 'sets' | 'registers'>

/** What a genesis says that stands alone and relies on no other op. */
export function readSaid({ id, record, owner, kind, slugHash, w, body }: First, sha256: Sha256): FirstSaid {
  const entries = readEntries(body)
  const laid = entries && layout(entries)
  if (entries === undefined || laid === undefined) {
    const fold = new Fold({ record, owner, kind, registeredAt: w }, slugHash)
    fold.takeContent(id, w, readDocument(body), sha256)
    return fold.merged()
  }
  return {
    slug: slugOf(entries, slugHash, sha256),
    doc: laid.doc,
    texts: laid.texts.map((path) => ({ path, epoch: id, splices: 0 })),
    sets: laid.sets,
    registers: laid.registers,
  }
}

/** The slug that a body gives, when it is the one that the genesis' header names. */
export function slugOf(content: Pick<Content, 'slug'>, slugHash: string, sha256: Sha256): string | undefined {
  const { slug } = content
  return slug !== undefined && isSlug(slug) && toHex(sha256(utf8(slug))) === slugHash ? slug : undefined
}

type Members = { readonly path: Path; members: Map<string, Scalar> | undefined }
/** A map of this fold's own making, so that it may be changed. */
type OwnMap = Record<string, Value>

class Fold {
  readonly #identity: Pick<Merged, 'record' | 'owner' | 'kind' | 'registeredAt'>
  #slug: string | undefined
  readonly #slugHash: string | undefined
  #live = false
  #head: OpId = ''
  #opCount = 0
  /** Largest w of the ops that contribute; -1: none does. And of all ops. */
  #changedAt = -1
  #latest = -1

  #doc: ValueMap = newMap<Value>()
  readonly #own = new Set<object>()
  readonly #texts = new Map<string, ShownText>()
  readonly #registers = new Map<string, Path>()
  /** Members are taken from the document when a set is first written to, and put back at the end. */
  readonly #sets = new Map<string, Members>()

  constructor(identity: Pick<Merged, 'record' | 'owner' | 'kind' | 'registeredAt'>, slugHash?: string) {
    this.#identity = identity
    this.#slugHash = slugHash
  }

  /** Before a record's first op, which is still to be taken. TypeError when it is no genesis. */
  static start(op: Op): Fold {
    const { genesis, record, w } = op.header
    if (genesis === undefined) throw new TypeError(`expected a genesis, got type ${op.header.type}`)
    return new Fold({ record, owner: genesis.owner, kind: genesis.kind, registeredAt: w }, genesis.slugHash)
  }

  static from(before: Merged): Fold {
    const { record, owner, kind, registeredAt } = before
    const fold = new Fold({ record, owner, kind, registeredAt })
    fold.#slug = before.slug
    fold.#live = before.live
    fold.#opCount = before.opCount
    fold.#changedAt = before.changedAt
    fold.#doc = before.doc
    for (const text of before.texts) fold.#texts.set(pathKey(text.path), text)
    for (const path of before.registers) fold.#registers.set(pathKey(path), path)
    for (const path of before.sets) fold.#sets.set(pathKey(path), { path, members: undefined })
    return fold
  }

  /** False when only `merge` can say; the fold is then of no further use. */
  take(op: Op, sha256: Sha256): boolean {
    const { id, header } = op
    if (header.type !== DELETE) return this.takeContent(id, header.w, readBody(op), sha256)
    this.#note(id, header.w)
    if (!readBody(op).effective) return true
    this.#clear()
    this.#live = false
    this.#changedAt = header.w
    return true
  }

  /** The same for an op that is no delete. */
  takeContent(id: OpId, w: number, content: Content, sha256: Sha256): boolean {
    this.#note(id, w)
    if (this.#slug === undefined && content.slug !== undefined) {
      if (this.#slugHash === undefined) return false
      this.#slug = slugOf(content, this.#slugHash, sha256)
    }
    if (!content.effective) return true
    this.#changedAt = Math.max(this.#changedAt, w)
    for (const write of content.writes) {
      if (write.says !== 'splice') {
        this.#live = true
        this.#write(write, id)
      } else if (!this.#splice(write, id)) return false
    }
    return true
  }

  #note(id: OpId, w: number): void {
    this.#head = id
    this.#opCount++
    this.#latest = Math.max(this.#latest, w)
  }

  merged(): Merged {
    for (const { path, members } of this.#sets.values()) {
      if (members !== undefined) this.#replace(path, [...members.values()].sort(compareMembers))
    }
    const slug = this.#slug === undefined ? {} : { slug: this.#slug }
    return {
      ...this.#identity,
      ...slug,
      live: this.#live,
      doc: this.#doc,
      heads: [this.#head],
      conflicts: [],
      changedAt: this.#changedAt < 0 ? this.#latest : this.#changedAt,
      opCount: this.#opCount,
      line: true,
      texts: [...this.#texts.values()].sort((a, b) => comparePaths(a.path, b.path)),
      sets: [...this.#sets.values()].map((set) => set.path).sort(comparePaths),
      registers: [...this.#registers.values()].sort(comparePaths),
    }
  }

  #write(write: Exclude<Write, Splice>, op: OpId): void {
    const { path } = write
    switch (write.says) {
      case 'absent':
        if (path.length === 0) this.#clear()
        else this.#remove(path)
        break
      case 'value':
        this.#put(path, write.value)
        if (isMap(write.value) && !isEmpty(write.value)) this.#registers.set(pathKey(path), path)
        break
      case 'text':
        this.#put(path, write.text)
        this.#texts.set(pathKey(path), { path, epoch: op, splices: 0 })
        break
      case 'member': {
        const set = this.#setAt(path)
        if (set !== undefined) set.set(scalarKey(write.member), write.member)
        else {
          this.#put(path, [])
          const members = new Map([[scalarKey(write.member), write.member]])
          this.#sets.set(pathKey(path), { path, members })
        }
        break
      }
      case 'no-member': {
        const set = this.#setAt(path)
        if (set?.delete(scalarKey(write.member)) && set.size === 0) this.#remove(path)
      }
    }
  }

  #splice(splice: Splice, op: OpId): boolean {
    // An op cannot be in its own past; only ops built by hand name themselves.
    if (splice.epoch === op) return true
    const key = pathKey(splice.path)
    const text = this.#texts.get(key)
    if (text?.epoch !== splice.epoch) return false
    if (text.splices >= SPLICES_MAX) return true
    this.#replace(splice.path, applySplice(this.#at(splice.path) as string, splice))
    this.#texts.set(key, { ...text, splices: text.splices + 1 })
    return true
  }

  #clear(): void {
    this.#doc = this.#newMap()
    this.#texts.clear()
    this.#registers.clear()
    this.#sets.clear()
  }

  /** The members of the set at a path, ready to be changed; undefined when no set is shown there. */
  #setAt(path: Path): Map<string, Scalar> | undefined {
    const set = this.#sets.get(pathKey(path))
    if (set === undefined) return undefined
    if (set.members === undefined) {
      const listed = this.#at(path) as readonly Scalar[]
      set.members = new Map(listed.map((member) => [scalarKey(member), member]))
    }
    return set.members
  }

  #at(path: Path): Value | undefined {
    let value: Value | undefined = this.#doc
    for (const segment of path) value = (value as ValueMap)[segment]
    return value
  }

  /** Covers what is at, above and below the path, save that nothing of the same map is touched, and puts the value. */
  #put(path: Path, value: Value): void {
    let map = this.#ownRoot()
    for (const [i, segment] of path.entries()) {
      const below = map[segment]
      if (i === path.length - 1) {
        if (below !== undefined) this.#forget(path, below)
        map[segment] = value
        return
      }
      const at = path.slice(0, i + 1)
      if (below !== undefined && this.#isBranch(at, below)) map = this.#ownBelow(map, segment, below as ValueMap)
      else {
        if (below !== undefined) this.#forget(at, below)
        const fresh = this.#newMap()
        map[segment] = fresh
        map = fresh
      }
    }
  }

  /** Another value for what is shown at a path and stays what it is. */
  #replace(path: Path, value: Value): void {
    let map = this.#ownRoot()
    for (const segment of path.slice(0, -1)) map = this.#ownBelow(map, segment, map[segment] as ValueMap)
    map[path.at(-1) as string] = value
  }

  /** Covers what is at and below the path, but nothing that contains it. Maps that become empty by it go too. */
  #remove(path: Path): void {
    const maps: ValueMap[] = [this.#doc]
    for (const [i, segment] of path.entries()) {
      const below = (maps[i] as ValueMap)[segment]
      if (below === undefined) return
      if (i === path.length - 1) this.#forget(path, below)
      else if (!this.#isBranch(path.slice(0, i + 1), below)) return
      else maps.push(below as ValueMap)
    }
    // Of the maps on the way, those that hold nothing else.
    let last = path.length - 1
    while (last > 0 && Object.keys(maps[last] as ValueMap).length === 1) last--
    let map = this.#ownRoot()
    for (const [i, segment] of path.entries()) {
      if (i === last) {
        delete map[segment]
        return
      }
      map = this.#ownBelow(map, segment, map[segment] as ValueMap)
    }
  }

  /** Whether a value in the document is a map made of separate writes. */
  #isBranch(path: Path, value: Value): boolean {
    return isMap(value) && !isEmpty(value) && !this.#registers.has(pathKey(path))
  }

  /** Drops what is known of the kind of the places at and below a path, where `value` was shown. */
  #forget(path: Path, value: Value): void {
    const branch = this.#isBranch(path, value)
    const key = pathKey(path)
    this.#registers.delete(key)
    for (const known of [this.#texts, this.#sets]) known.delete(key)
    if (!branch) return
    for (const known of [this.#texts, this.#sets, this.#registers] as Map<string, Path | { path: Path }>[]) {
      for (const [other, place] of known)
        if (startsWith('path' in place ? place.path : place, path)) known.delete(other)
    }
  }

  #newMap(): OwnMap {
    const map: OwnMap = newMap<Value>()
    this.#own.add(map)
    return map
  }

  #ownRoot(): OwnMap {
    if (!this.#own.has(this.#doc)) this.#doc = this.#copy(this.#doc)
    return this.#doc as OwnMap
  }

  #ownBelow(map: OwnMap, segment: string, below: ValueMap): OwnMap {
    if (this.#own.has(below)) return below as OwnMap
    const copy = this.#copy(below)
    map[segment] = copy
    return copy
  }

  #copy(map: ValueMap): OwnMap {
    return Object.assign(this.#newMap(), map)
  }
}

function isEmpty(map: ValueMap): boolean {
  for (const _ in map) return false
  return true
}

function startsWith(path: Path, start: Path): boolean {
  return path.length > start.length && start.every((segment, i) => segment === path[i])
}
