/**
 * Merging: a record's ops, in whatever order they came, become its document, conflicts and heads (SPEC.md, "Merge").
 *
 * The answer is a function of the set of ops and of nothing else: no clock, no order of arrival, no kind's table. Most
 * records are one straight line and are folded (fold.ts); the full rules are here, in alive.ts and in shown.ts.
 */
import { AliveWrites, compareStamps, type Entry, type Epoch, isPresent, type Said, type Stamp } from './alive.ts'
import type { OwnerAuthority } from './authority.ts'
import { type Content, readBody } from './body.ts'
import { Dag } from './dag.ts'
import { foldLine, slugOf } from './fold.ts'
import { isPlain, type Judgement, judge } from './judge.ts'
import { EQUIVOCATIONS_NAMED_MAX } from './limits.ts'
import { type ActorKey, OP_TYPES, type Op, type OpId, type Owner, type RecordId } from './op.ts'
import { writableFrom } from './place.ts'
import { type LostText, show } from './shown.ts'
import { pureSha256, type Sha256 } from './suite.ts'
import { mergeText, type TextEdit } from './text.ts'
import type { Doc, Path, Scalar, Value } from './value.ts'

/** A record as merged from its ops: a deterministic function of the set. */
export type Merged = {
  readonly record: RecordId
  readonly owner: Owner
  readonly kind: string
  /** Missing when no genesis body gives the slug that its header's hash names. */
  readonly slug?: string
  readonly live: boolean
  readonly doc: Doc
  /** Ascending. Voided and inert ops count. */
  readonly heads: readonly OpId[]
  readonly conflicts: readonly Conflict[]
  /** ms; the smallest w of a genesis that is neither voided nor erased, of any when none is left. Advisory. */
  readonly registeredAt: number
  /** ms; the largest w of a contributing op, of any op when none contributes. Advisory. */
  readonly changedAt: number
  readonly opCount: number
  /** The ops form one line from one genesis and no splice on it is lost, so that the next op may be folded on top. */
  readonly line: boolean
  /** The shown texts: which epoch a splice must name, and how many splices it has. */
  readonly texts: readonly ShownText[]
  /** The shown sets: where `doc` has an array that is made of members (`add`, `rem`) and not written whole. */
  readonly sets: readonly Path[]
  /**
   * The shown registers whose value is a map that is not empty (`set ... "reg"`, or f of a genesis or put): a write
   * below such a path replaces the whole map. Every other map in `doc` is made of separate writes, leaf by leaf.
   */
  readonly registers: readonly Path[]
  /** When an op of the record relies on another: what the owner's authority said then (`OwnerAuthority.stamp`). */
  readonly judged?: Judged
  /** What does not count for want of authority. */
  readonly voided?: readonly Voided[]
  /** Ops that an erase took out. */
  readonly erased?: readonly OpId[]
  /** Ops whose body is not held although nothing erased it: what they say is missing here. */
  readonly incomplete?: readonly OpId[]
  /** Pairs of ops that one key signed on equal parents. */
  readonly equivocations?: readonly (readonly [OpId, OpId])[]
}

export type ShownText = {
  readonly path: Path
  readonly epoch: OpId
  readonly splices: number
  /**
   * Another write that is alive here, or a lost text, says the same now. That is no conflict, but a splice would make
   * it one, for a splice covers nothing: a fresh text covers both.
   */
  readonly twin?: true
}

/** One place in dispute. Several members of one set in dispute are several conflicts with one path. */
export type Conflict = { readonly path: Path; readonly alternatives: readonly Alternative[] }

/** One of several values; the first of a conflict is the one shown. */
export type Alternative = {
  /** Missing when this side says "absent". */
  readonly value?: Value
  /** When it differs from the conflict's. */
  readonly path?: Path
  /** Of a set: the member that one side has and the other has not. */
  readonly member?: Scalar
  readonly actor: ActorKey
  readonly w: number
  readonly op: OpId
}

/** `vias`: what the record's ops rely on, ascending. When their stamp is another, the record is to be merged again. */
export type Judged = { readonly vias: readonly OpId[]; readonly stamp: string }

/** An op that lost its authority, and the revokes or rotates that took it. Shown, never dropped. */
export type Voided = { readonly op: OpId; readonly by: readonly OpId[] }

/**
 * The record that these ops make, in any order and each once or more often.
 *
 * RangeError when there is no genesis, or a parent is missing: a record is merged from ops whose pasts are held; and when
 * an op relies on one that `authority`, the owner's, does not hold.
 * Costs about what the ops say; where branches meet also what is alive at each place, per write there.
 */
export function merge(ops: readonly Op[], sha256: Sha256 = pureSha256, authority?: OwnerAuthority): Merged {
  const dag = new Dag(ops)
  const judgements = judge(dag, authority)
  const vias = new Set(dag.ops.flatMap(({ header: { via } }) => via ?? []))
  const judged = authority !== undefined && vias.size > 0 && { judged: judgedBy(vias, authority) }
  const plain = dag.isLine && judgements.every(isPlain) && !dag.ops.some((op) => op.freed)
  const folded = plain ? foldLine(dag.ops, sha256) : undefined
  return { ...(folded ?? mergeAll(dag, judgements, plain, sha256)), ...judged }
}

export function judgedBy(vias: Iterable<OpId>, authority: OwnerAuthority): Judged {
  const sorted = [...vias].sort()
  return { vias: sorted, stamp: authority.stamp(sorted) }
}

/** The same by the full rules, never by folding: what folding is held against. */
export function mergeByRules(ops: readonly Op[], sha256: Sha256 = pureSha256): Merged {
  const dag = new Dag(ops)
  return mergeAll(dag, judge(dag, undefined), dag.isLine, sha256)
}

function mergeAll(dag: Dag, judgements: readonly Judgement[], plain: boolean, sha256: Sha256): Merged {
  const contents = dag.ops.map((op, at) => readAs(op, judgements[at] as Judgement))
  const contributing = new Set(contributors(dag, contents, judgements))
  const said: Said[] = []
  const writes = new AliveWrites(dag)
  for (const [at, op] of dag.ops.entries()) {
    const { rank, limits, voidedBy } = judgements[at] as Judgement
    const by = { op, at, rank, limits, writes: (contents[at] as Content).writes }
    if (voidedBy.length > 0) writes.takeVoided(by)
    if (!contributing.has(at)) continue
    writes.take(by)
    said.push(by)
  }
  const alive = writes.alive().map((entry) => ({ entry, value: saidBy(entry, dag) }))
  const lost = writes.lost().map((entry) => lostText(entry, dag, said))
  return {
    ...identityOf(dag.ops, contents, judgements, sha256),
    live: said.some((by) => by.writes.some((write) => write.says !== 'splice')),
    heads: dag.heads,
    changedAt: latest(said.length > 0 ? said.map(({ op }) => op) : dag.ops),
    opCount: dag.ops.length,
    line: plain && lost.length === 0,
    ...show(alive, lost),
    ...remarks(dag, judgements),
  }
}

/** What a reader of the record is to be told beside its document; nothing for nearly all records. */
function remarks(
  dag: Dag,
  judgements: readonly Judgement[],
): Pick<Merged, 'voided' | 'erased' | 'incomplete' | 'equivocations'> {
  const voided: Voided[] = []
  const erased: OpId[] = []
  const incomplete: OpId[] = []
  for (const [at, op] of dag.ops.entries()) {
    const judgement = judgements[at] as Judgement
    if (judgement.voidedBy.length > 0) voided.push({ op: op.id, by: judgement.voidedBy })
    if (judgement.erased) erased.push(op.id)
    else if (op.freed) incomplete.push(op.id)
  }
  const equivocations = dag.isLine ? [] : equivocationsOf(dag.ops)
  return {
    ...(voided.length > 0 && { voided }),
    ...(erased.length > 0 && { erased }),
    ...(incomplete.length > 0 && { incomplete }),
    ...(equivocations.length > 0 && { equivocations }),
  }
}

/** Each op with the first that its key signed on the same parents. */
function equivocationsOf(ops: readonly Op[]): [OpId, OpId][] {
  const first = new Map<string, OpId>()
  const pairs: [OpId, OpId][] = []
  for (const { id, header } of ops) {
    const name = `${header.actor} ${header.parents.join()}`
    const other = first.get(name)
    if (other === undefined) first.set(name, id)
    else if (pairs.push([other, id]) === EQUIVOCATIONS_NAMED_MAX) break
  }
  return pairs
}

function latest(ops: readonly Op[]): number {
  return ops.reduce((latest, op) => Math.max(latest, op.header.w), 0)
}

/** What the op may say: nothing when it is erased or comes too late, else what is at places where it may write. */
function readAs(op: Op, { erased, inert, limits }: Judgement): Content {
  if (erased || inert) return { effective: false, writes: [] }
  const content = readBody(op)
  if (limits.length === 0) return content
  const writes = content.writes.filter(({ path }) => writableFrom(path, limits) <= path.length)
  return { ...content, writes }
}

/** Indices of the ops that have every effective delete, themselves aside, in their past; in order. */
function contributors(dag: Dag, contents: readonly Content[], judgements: readonly Judgement[]): number[] {
  const effective: number[] = []
  for (const [at, content] of contents.entries()) {
    if (content.effective && (judgements[at] as Judgement).voidedBy.length === 0) effective.push(at)
  }
  // A delete in the past of another comes along with it.
  const last: number[] = []
  for (const at of [...effective].reverse()) {
    if (OP_TYPES[(dag.ops[at] as Op).header.type - 1] !== 'delete') continue
    if (!last.some((later) => dag.isPast(at, later))) last.push(at)
  }
  return effective.filter((at) => last.every((before) => before === at || dag.isPast(before, at)))
}

/** What a write says is there, its splices made; undefined: nothing. */
function saidBy({ write, epoch }: Entry, dag: Dag): Value | undefined {
  switch (write.says) {
    case 'value':
      return write.value
    case 'member':
      return write.member
    case 'text':
      return textOf(epoch as Epoch, dag)
    default:
      return undefined
  }
}

function textOf({ start, splices }: Epoch, dag: Dag): string {
  const edits: (TextEdit & { readonly at: number })[] = []
  let from = 0
  while (from < splices.length) {
    const { op, at } = splices[from] as Stamp
    let to = from
    while (splices[to]?.at === at) to++
    const some = splices.slice(from, to)
    edits.push({ op: op.id, at, voided: some[0]?.voided, splices: some.map(({ splice }) => splice) })
    from = to
  }
  return mergeText(start, edits, (x, y) => dag.isPast((edits[x] as { at: number }).at, (edits[y] as { at: number }).at))
}

/** A covered epoch with splices that no covering write has seen. */
function lostText(entry: Entry, dag: Dag, said: readonly Said[]): LostText {
  const epoch = entry.epoch as Epoch
  const [stamp] = [...epoch.unseen].sort(compareStamps)
  return {
    path: entry.write.path,
    text: textOf(epoch, dag),
    stamp: stamp as Stamp,
    coveredBy: () => firstCover(entry, dag, said),
  }
}

/** Of the writes that cover an entry, the first in sort order. */
function firstCover({ write, at }: Entry, dag: Dag, said: readonly Said[]): Stamp {
  let first: Stamp | undefined
  for (const { writes, limits, ...by } of said) {
    if (!dag.isPast(at, by.at)) continue
    for (const [index, other] of writes.entries()) {
      if (other.says === 'splice' || !coversValue(other, write.path, limits)) continue
      const stamp = { ...by, index }
      if (first === undefined || compareStamps(stamp, first) < 0) first = stamp
    }
  }
  return first as Stamp
}

/** Whether a write, where it comes later, covers a value at this path. */
function coversValue(write: Entry['write'], path: Path, limits: Said['limits']): boolean {
  const shorter = Math.min(write.path.length, path.length)
  if (limits.length > 0 && path.length < writableFrom(write.path, limits)) return false
  for (let i = 0; i < shorter; i++) if (write.path[i] !== path[i]) return false
  return isPresent(write) || (write.says === 'absent' && write.path.length <= path.length)
}

function identityOf(
  ops: readonly Op[],
  contents: readonly Content[],
  judgements: readonly Judgement[],
  sha256: Sha256,
): Pick<Merged, 'record' | 'owner' | 'kind' | 'slug' | 'registeredAt'> {
  const geneses = ops.filter((op) => op.header.genesis !== undefined)
  const [first] = geneses
  if (first?.header.genesis === undefined) throw new RangeError(`expected a genesis among ${ops.length} ops`)
  const { owner, kind, slugHash } = first.header.genesis
  // Who lost the authority to begin it does not say when it began, unless nobody else does.
  const counting = geneses.filter((op) => {
    const { voidedBy, erased } = judgements[ops.indexOf(op)] as Judgement
    return voidedBy.length === 0 && !erased
  })
  const registeredAt = Math.min(...(counting.length > 0 ? counting : geneses).map((op) => op.header.w))
  for (const content of contents) {
    const slug = slugOf(content, slugHash, sha256)
    if (slug !== undefined) return { record: first.header.record, owner, kind, slug, registeredAt }
  }
  return { record: first.header.record, owner, kind, registeredAt }
}
