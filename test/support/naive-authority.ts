/**
 * The stupid authority: SPEC.md, sections 4, 5 and 9, written down definition by definition. What is voided is found by
 * trying every assignment of voided and not voided to all ops and keeping those that agree with the definition; there
 * has to be exactly one. It shares with crdt/ the codec and the names of records, and nothing else.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import type { Op, OpId, Path } from '../../crdt/index.ts'
import { authorityRecord, concat, decode, fromHex, toHex, utf8 } from '../../crdt/index.ts'

export type NaiveVerdict =
  | 'valid'
  | 'pending'
  | 'malformed'
  | 'reserved'
  | 'bad-parents'
  | 'wrong-record'
  | 'not-authorised'

// biome-ignore lint/suspicious/noExplicitAny: what strangers say has any shape; to name each would hide the rules.
type Any = any

export const T = {
  genesis: 1,
  put: 2,
  patch: 3,
  delete: 4,
  erase: 5,
  grant: 6,
  revoke: 7,
  keep: 8,
  identity: 9,
  rotate: 10,
  unknown: 14,
} as const
const RIGHT_OF: Record<number, string> = {
  1: 'create',
  2: 'write',
  3: 'write',
  4: 'delete',
  6: 'grant',
  7: 'grant',
  8: 'grant',
}

/** What the rules say of one op by itself and by the ops it names, for every op; `pending` when one is not among them. */
export function naiveVerdicts(input: readonly Op[]): Map<OpId, NaiveVerdict> {
  const world = new World(input)
  return new Map(world.ops.map((op) => [op.id, world.verdict(op)]))
}

export type NaiveAuthority = {
  /** Of every valid op: why it is voided. Not voided: not in it. */
  readonly voided: ReadonlyMap<OpId, { readonly by: readonly OpId[]; readonly through: readonly OpId[] }>
  /** As far as authority says; bodies of content are for merging. */
  readonly inert: ReadonlySet<OpId>
  readonly erased: ReadonlySet<OpId>
  /** Hit by a revoke or rotate in force, and not voided. */
  readonly kept: ReadonlySet<OpId>
  /** Without the keeps more would be voided. */
  readonly saved: boolean
  /** Grants, the nearest first. */
  readonly chain: (op: Op) => readonly Op[]
  readonly mayWrite: (op: Op, path: Path) => boolean
  /** How many assignments agree with the definition; 1 where they were not all tried. */
  readonly answers: number
}

/**
 * What the valid ones among these ops are worth: ops of one authority record, and of records of its owner. `all`: every
 * assignment is tried (2^n of n ops); else the definition is applied until nothing changes.
 */
export function naiveAuthority(input: readonly Op[], how: 'all' | 'fixpoint'): NaiveAuthority {
  const world = new World(input)
  const ops = world.ops.filter((op) => world.verdict(op) === 'valid')
  const valid = new World(ops)
  const found: Set<OpId>[] = []
  if (how === 'all') {
    for (let bits = 0; bits < 2 ** ops.length; bits++) {
      const voided = new Set(ops.filter((_, i) => (bits >> i) & 1).map(({ id }) => id))
      if (ops.every((op) => valid.isVoided(op, voided) === voided.has(op.id))) found.push(voided)
    }
  } else {
    let voided = new Set<OpId>()
    for (let rounds = 0; ; rounds++) {
      const next = new Set(ops.filter((op) => valid.isVoided(op, voided)).map(({ id }) => id))
      if (next.size === voided.size && [...next].every((id) => voided.has(id))) break
      if (rounds > ops.length + 1) throw new Error('what is voided never settles')
      voided = next
    }
    found.push(voided)
  }
  const voided = found[0] ?? new Set<OpId>()
  const inert = new Set(ops.filter((op) => valid.isInert(op)).map(({ id }) => id))
  const erased = new Set<OpId>()
  for (const op of ops) {
    if (op.header.type !== T.erase || voided.has(op.id) || inert.has(op.id)) continue
    for (const id of readErase(op)!) {
      const named = valid.get(id)
      if (named === undefined || named.header.record !== op.header.record) continue
      if ([T.genesis, T.put, T.patch].includes(named.header.type as 1)) erased.add(id)
    }
  }
  const keeps = ops.filter(({ header }) => header.type === T.keep).map(({ id }) => id)
  return {
    voided: new Map([...voided].map((id) => [id, valid.whyVoided(valid.get(id)!, voided)])),
    inert,
    erased,
    kept: new Set(ops.filter((op) => !voided.has(op.id) && valid.isHit(op, voided)).map(({ id }) => id)),
    saved: ops.some((op) => !voided.has(op.id) && valid.isVoided(op, new Set([...voided, ...keeps]))),
    chain: (op) => valid.chain(op),
    mayWrite: (op, path) => valid.mayWrite(op, path),
    answers: found.length,
  }
}

class World {
  readonly ops: readonly Op[]
  readonly #byId: ReadonlyMap<OpId, Op>
  readonly #verdicts = new Map<OpId, NaiveVerdict>()
  readonly #pasts = new Map<OpId, ReadonlySet<OpId>>()
  readonly #chains = new Map<OpId, readonly Op[]>()
  readonly #hittersOf = new Map<OpId, readonly { readonly r: Op; readonly keepers: true | Op[] }[]>()
  readonly #ownerOf: ReadonlyMap<string, string>

  constructor(input: readonly Op[]) {
    this.#byId = new Map(input.map((op) => [op.id, op]))
    this.ops = [...this.#byId.values()]
    // Whose authority record a record is: nobody has one without having signed an op.
    this.#ownerOf = new Map(
      this.ops.flatMap(({ header: { net, actor, record, type } }) => [
        [authorityRecord(net, `01${actor}`), `01${actor}`] as const,
        ...(type === T.identity ? [[record, `02${record}`] as const] : []),
      ]),
    )
  }

  get(id: OpId | undefined): Op | undefined {
    return id === undefined ? undefined : this.#byId.get(id)
  }

  // Validity.

  verdict(op: Op): NaiveVerdict {
    const known = this.#verdicts.get(op.id)
    if (known !== undefined) return known
    const verdict = byItself(op) ?? this.#byOthers(op)
    this.#verdicts.set(op.id, verdict)
    return verdict
  }

  #byOthers(op: Op): NaiveVerdict {
    const { parents, via, type, record } = op.header
    const named = [...parents, ...(via === undefined ? [] : [via])].map((id) => this.get(id))
    const verdicts = named.map((other) => (other === undefined ? 'pending' : this.verdict(other)))
    if (verdicts.some((verdict) => verdict !== 'valid' && verdict !== 'pending')) return 'bad-parents'
    if (verdicts.includes('pending')) return 'pending'
    if (parents.some((id) => this.get(id)!.header.record !== record)) return 'wrong-record'
    const here = this.#ownerOf.has(record)
    if (type < T.unknown && isAuthority(type) !== here) return 'wrong-record'
    if (here && via !== undefined && this.get(via)!.header.record !== record) return 'wrong-record'
    return this.#chainHolds(op) ? 'valid' : 'not-authorised'
  }

  /** Of an op's record. */
  #owner(op: Op): string {
    return this.#ownerOf.get(op.header.record) ?? this.#genesis(op).header.genesis!.owner
  }

  #genesis(op: Op): Op {
    return op.header.type === T.genesis ? op : this.#genesis(this.get(op.header.parents[0])!)
  }

  #chainHolds(op: Op): boolean {
    const { type, net, actor } = op.header
    const owner = this.#owner(op)
    const via = this.get(op.header.via)
    if (type === T.identity) return true
    if (via === undefined) return owner === `01${actor}`
    if (via.header.record !== authorityRecord(net, owner)) return false
    if (type === T.rotate) {
      const step = this.#step(op)
      if (step === undefined || step > 31) return false
      return commitmentOf(via) === toHex(sha256(concat(fromHex(actor), fromHex(commitmentOf(op)!))))
    }
    if (via.header.type === T.identity || via.header.type === T.rotate) return via.header.actor === actor
    if (via.header.type !== T.grant || toHex(readGrant(via)!.to) !== actor) return false
    const chain = this.chain(op)
    return chain.length <= 8 && chain.every((grant) => this.#covers(readGrant(grant)!, op))
  }

  #covers(grant: NonNullable<ReturnType<typeof readGrant>>, op: Op): boolean {
    const { type, record } = op.header
    if (type < T.unknown && !grant.rights.includes(RIGHT_OF[type])) return false
    if (this.#ownerOf.has(record)) return true
    if (grant.records !== undefined) return grant.records.some((id: Uint8Array) => toHex(id) === record)
    return grant.kinds === undefined || grant.kinds.includes(this.#genesis(op).header.genesis!.kind)
  }

  /** Of a rotate: 1 when it follows the identity op. */
  #step(rotate: Op): number | undefined {
    const via = this.get(rotate.header.via)
    if (via?.header.type === T.identity) return 1
    if (via?.header.type !== T.rotate) return undefined
    return this.#step(via)! + 1
  }

  chain(op: Op): readonly Op[] {
    let chain = this.#chains.get(op.id)
    if (chain === undefined) {
      const via = this.get(op.header.via)
      chain = via?.header.type === T.grant ? [via, ...this.chain(via)] : []
      this.#chains.set(op.id, chain)
    }
    return chain
  }

  mayWrite(op: Op, path: Path): boolean {
    return this.chain(op).every((grant) => {
      const { paths } = readGrant(grant)!
      return paths === undefined || paths.some((allowed: Path) => allowed.every((segment, i) => segment === path[i]))
    })
  }

  // What ops are worth.

  isInert(op: Op): boolean {
    const { type, w } = op.header
    if (type >= T.unknown) return true
    const chain = this.chain(op)
    if (type !== T.grant && chain.some((grant) => w > (readGrant(grant)!.expiry ?? Infinity))) return true
    if (type === T.delete && chain.some((grant) => readGrant(grant)!.paths !== undefined)) return true
    if (type === T.erase) return readErase(op) === undefined
    if (type === T.keep) return readKeep(op) === undefined
    if (type !== T.revoke) return false
    const body = readRevoke(op)
    if (body === undefined) return true
    if (chain.length === 0) return false
    const grant = this.#grantNamedBy(op)
    return grant === undefined || !this.chain(grant).some(({ id }) => id === op.header.via)
  }

  /** A grant of the revoke's own authority record: nobody revokes what another owner has granted. */
  #grantNamedBy(revoke: Op): Op | undefined {
    const grant = this.get(readRevoke(revoke)?.grant)
    return grant?.header.type === T.grant && grant.header.record === revoke.header.record ? grant : undefined
  }

  #hits(r: Op, o: Op): boolean {
    if (r.header.type === T.revoke) {
      const grant = this.#grantNamedBy(r)
      return grant !== undefined && this.chain(o).includes(grant)
    }
    if (r.header.type !== T.rotate || this.chain(o).length > 0) return false
    return this.#reliesOn(o) === this.#step(r) && this.#authorityOf(o) === r.header.record
  }

  /** Of an op without a chain, of an identity: the step. */
  #reliesOn(op: Op): number | undefined {
    if (op.header.type === T.rotate) return this.#step(op)! + 1
    const via = this.get(op.header.via)
    if (via?.header.type === T.identity) return 1
    return via?.header.type === T.rotate ? this.#step(via)! + 1 : undefined
  }

  #authorityOf(op: Op): string | undefined {
    return this.get(op.header.via)?.header.record
  }

  /** What keeps o from r: `true` by what r itself says, else keeps, any one of them that is in force. */
  #keepers(r: Op, o: Op): true | Op[] {
    const keeps = (ids: Iterable<OpId>) =>
      [...ids].some((id) => {
        const one = this.get(id)
        if (one === undefined) return false
        return one === o || (one.header.record === o.header.record && this.past(one).has(o.id))
      })
    if (keeps(this.#authorityPast(r))) return true
    if (keeps((r.header.type === T.revoke ? readRevoke(r)?.keep : readRotate(r)?.keep) ?? [])) return true
    return this.ops.filter((k) => {
      if (k.header.type !== T.keep || k.header.record !== r.header.record) return false
      const body = readKeep(k)
      return body?.of === r.id && !this.isInert(k) && this.#speaksFor(k, r) && keeps(body.ids)
    })
  }

  #speaksFor(keep: Op, r: Op): boolean {
    if (r.header.type === T.revoke && keep.header.via === r.header.via) return true
    if (this.chain(keep).length > 0) return false
    return r.header.type === T.revoke || this.#reliesOn(keep)! >= this.#step(r)! + 1
  }

  #authorityPast(r: Op): Set<OpId> {
    const past = new Set<OpId>()
    const waiting = [r]
    for (const op of waiting) {
      for (const id of [...op.header.parents, op.header.via]) {
        const other = this.get(id)
        if (other === undefined || past.has(other.id)) continue
        past.add(other.id)
        waiting.push(other)
      }
    }
    return past
  }

  past(op: Op): ReadonlySet<OpId> {
    let past = this.#pasts.get(op.id)
    if (past === undefined) {
      past = new Set(op.header.parents.flatMap((id) => [id, ...this.past(this.get(id)!)]))
      this.#pasts.set(op.id, past)
    }
    return past
  }

  /** Revokes and rotates that hit an op and are not inert, with what keeps it from them. Nobody's being voided counts. */
  #hitters(o: Op): readonly { readonly r: Op; readonly keepers: true | Op[] }[] {
    let hitters = this.#hittersOf.get(o.id)
    if (hitters === undefined) {
      hitters = this.ops
        .filter((r) => r !== o && this.#hits(r, o) && !this.isInert(r))
        .map((r) => ({ r, keepers: this.#keepers(r, o) }))
      this.#hittersOf.set(o.id, hitters)
    }
    return hitters
  }

  whyVoided(o: Op, voided: ReadonlySet<OpId>): { readonly by: OpId[]; readonly through: OpId[] } {
    const by = this.#hitters(o).filter(
      ({ r, keepers }) => !voided.has(r.id) && keepers !== true && keepers.every((keep) => voided.has(keep.id)),
    )
    const through = this.chain(o).filter((grant) => voided.has(grant.id))
    return { by: by.map(({ r }) => r.id).sort(), through: through.map(({ id }) => id).sort() }
  }

  isHit(o: Op, voided: ReadonlySet<OpId>): boolean {
    return this.#hitters(o).some(({ r }) => !voided.has(r.id))
  }

  /** The definition, the others being voided as assumed. */
  isVoided(o: Op, voided: ReadonlySet<OpId>): boolean {
    const { by, through } = this.whyVoided(o, voided)
    return by.length > 0 || through.length > 0
  }
}

function isAuthority(type: number): boolean {
  return type >= T.grant && type <= T.rotate
}

/** What is wrong with an op alone, in the order of section 5; bytes and sizes are given. */
function byItself(op: Op): NaiveVerdict | undefined {
  const { type, w, parents, via, genesis, record, net, actor } = op.header
  if (!Number.isSafeInteger(type) || type < 1) return 'malformed'
  if (!Number.isSafeInteger(w) || w < 0 || w >= 2 ** 43) return 'malformed'
  if (type >= 11 && type <= 13) return 'reserved'
  if (genesis !== undefined && !/^[a-z0-9-]{1,32}$/.test(genesis.kind)) return 'malformed'
  if (genesis !== undefined && !/^0[12]/.test(genesis.owner)) return 'malformed'
  const none = type === T.genesis || type === T.identity
  const least = none || type === T.grant || type === T.revoke || type === T.keep ? 0 : 1
  if (parents.length < least || parents.length > (none ? 0 : 16)) return 'bad-parents'
  if (parents.some((parent, i) => i > 0 && parent <= parents[i - 1]!)) return 'bad-parents'
  if (type === T.grant && readGrant(op) === undefined) return 'malformed'
  if ((type === T.identity || type === T.rotate) && commitmentOf(op) === undefined) return 'malformed'
  if (via !== undefined) return type === T.identity ? 'not-authorised' : undefined
  if (type === T.rotate) return 'not-authorised'
  if (genesis !== undefined && genesis.owner !== `01${actor}`) return 'not-authorised'
  const first = isAuthority(type) && type !== T.identity && parents.length === 0
  return first && record !== authorityRecord(net, `01${actor}`) ? 'not-authorised' : undefined
}

// Bodies. A reader answers undefined for what is not of the form.

function mapOf(op: Op, must: string[], may: string[] = []): Any {
  const read = decode(op.body)
  const value = read.ok ? (read.value as Any) : undefined
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array)
    return undefined
  const keys = Object.keys(value)
  return must.every((key) => keys.includes(key)) && keys.every((key) => [...must, ...may].includes(key))
    ? value
    : undefined
}

const isBytes = (value: Any, length: number): boolean => value instanceof Uint8Array && value.length === length

/** 1 to `max` items, each as it should be. */
const isList = (value: Any, max: number, isItem: (item: Any) => boolean): boolean =>
  Array.isArray(value) && value.length >= 1 && value.length <= max && value.every(isItem)

const ascend = (texts: readonly string[]): boolean => texts.every((text, i) => i === 0 || text > texts[i - 1]!)

/** As the keys of a map: shorter ones first. */
const keyOf = (text: string): string => String.fromCharCode(utf8(text).length) + toHex(utf8(text))

function idsOf(value: Any): OpId[] | undefined {
  if (!(value instanceof Uint8Array) || value.length % 32 !== 0) return undefined
  return (toHex(value).match(/.{64}/g) as string[] | null) ?? []
}

function readGrant(
  op: Op,
): { to: Uint8Array; rights: Any; kinds?: Any; records?: Any; paths?: Any; expiry?: Any } | undefined {
  const map = mapOf(op, ['to', 'rights'], ['kinds', 'records', 'paths', 'expiry'])
  if (map === undefined || !isBytes(map.to, 32)) return undefined
  const isText = (text: Any) => typeof text === 'string' && utf8(text).length >= 1 && utf8(text).length <= 32
  if (!isList(map.rights, 16, isText) || !ascend(map.rights.map(keyOf))) return undefined
  if (map.kinds !== undefined && map.records !== undefined) return undefined
  const isKind = (text: Any) => typeof text === 'string' && /^[a-z0-9-]{1,32}$/.test(text)
  if (map.kinds !== undefined && !(isList(map.kinds, 64, isKind) && ascend(map.kinds.map(keyOf)))) return undefined
  if (map.records !== undefined && !isList(map.records, 1024, (id) => isBytes(id, 32))) return undefined
  if (map.records !== undefined && !ascend(map.records.map(toHex))) return undefined
  const isSegment = (text: Any) => typeof text === 'string' && utf8(text).length <= 128
  const isPath = (path: Any) => Array.isArray(path) && path.length <= 16 && path.every(isSegment)
  if (map.paths !== undefined && !isList(map.paths, 64, isPath)) return undefined
  const { expiry } = map
  if (expiry !== undefined && !(Number.isSafeInteger(expiry) && expiry >= 0 && expiry < 2 ** 43)) return undefined
  return map
}

function readRevoke(op: Op): { grant: OpId; keep: OpId[] } | undefined {
  const map = mapOf(op, ['grant', 'keep'])
  const keep = idsOf(map?.keep)
  return keep !== undefined && isBytes(map.grant, 32) ? { grant: toHex(map.grant), keep } : undefined
}

function readKeep(op: Op): { of: OpId; ids: OpId[] } | undefined {
  const map = mapOf(op, ['of', 'ids'])
  const ids = idsOf(map?.ids)
  return ids !== undefined && isBytes(map.of, 32) ? { of: toHex(map.of), ids } : undefined
}

function readRotate(op: Op): { c: string; keep: OpId[] } | undefined {
  const map = mapOf(op, ['c', 'keep'])
  const keep = idsOf(map?.keep)
  return keep !== undefined && isBytes(map.c, 32) ? { c: toHex(map.c), keep } : undefined
}

/** Of an identity or a rotate. */
function commitmentOf(op: Op): string | undefined {
  if (op.header.type === T.rotate) return readRotate(op)?.c
  const c = mapOf(op, ['c'])?.c
  return isBytes(c, 32) ? toHex(c) : undefined
}

function readErase(op: Op): OpId[] | undefined {
  const map = mapOf(op, ['ids'], ['reason'])
  if (map?.reason !== undefined && !(typeof map.reason === 'string' && utf8(map.reason).length <= 256)) return undefined
  return idsOf(map?.ids)
}
