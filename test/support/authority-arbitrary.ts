/**
 * Random owners: one authority record and up to two ordinary records of the same owner, with ops of every type, small
 * enough that they meet: several grants to few keys, revokes from above, beside and below, rotates that rival one
 * another, old keys that write on, keeps by who may and who may not, erases by both. Ids and keys are true.
 *
 * Some ops are spoiled on purpose, in ways that make them invalid or nearly so. What they are worth is for others to say.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import type { Op, OpId, Owner, Path, RecordId, Scalar, Value } from '../../crdt/index.ts'
import {
  authorityRecord,
  concat,
  decode,
  encode,
  fromHex,
  hashIdentity,
  networkId,
  opId,
  recordId,
  toHex,
  utf8,
} from '../../crdt/index.ts'
import { signerFromSeed } from '../../node/native.ts'
import type { Signer as KeySigner } from '../../node/replica-types.ts'
import { bodyOf, entries, type VerbStep, verb } from './dag-arbitrary.ts'
import { T } from './naive-authority.ts'

export type World = {
  readonly owner: Owner
  /** The authority record. */
  readonly record: RecordId
  /** In the order in which they were made: what an op names by `p` and `a` comes before it, or is missing for ever. */
  readonly ops: readonly Op[]
}

export type WorldRange = {
  readonly min: number
  readonly max: number
  /** Of a hundred ops, how many are spoiled. */
  readonly spoil?: number
}

export function worlds({ min, max, spoil = 4 }: WorldRange): fc.Arbitrary<World> {
  return fc
    .record({
      salt: fc.nat(0xffff),
      about: fc.constantFrom<About>('authority', 'authority', 'mixed', 'mixed', 'text', 'text', 'deep'),
      rotating: fc.boolean(),
      steps: fc.array(step, { minLength: min, maxLength: max, size: 'max' }),
    })
    .map(({ salt, about, rotating, steps }) => {
      const maker = new Maker(salt, rotating, about, spoil, max)
      for (const [i, one] of steps.entries()) maker.take(one, i < 3)
      return maker.world()
    })
}

/**
 * An owner who takes a key's authority, by a last revoke or rotate, and what that key and those it grants to sign then:
 * nobody has seen it, and nobody keeps it.
 */
export function robberies({
  min,
  max,
}: WorldRange): fc.Arbitrary<{ readonly world: World; readonly stolen: readonly Op[] }> {
  const steps = fc.array(step, { minLength: min, maxLength: max, size: 'max' })
  const about = fc.constantFrom<About>('authority', 'mixed', 'mixed', 'text', 'text')
  return fc
    .record({ salt: fc.nat(0xffff), about, rotating: fc.boolean(), steps, last: step, stolen: steps })
    .map(({ salt, about, rotating, steps, last, stolen }) => {
      const maker = new Maker(salt, rotating, about, 0, 2 * max + 2)
      for (const [i, one] of steps.entries()) maker.take(one, i < 3)
      maker.takeAway(last)
      const world = maker.world()
      for (const one of stolen) maker.take(one, false)
      return { world, stolen: maker.world().ops.slice(world.ops.length) }
    })
}

/** Who can sign for a key of a world. */
export function signerOf(key: string): KeySigner {
  const signer = signers.get(key)
  if (signer === undefined) throw new RangeError(`expected a key that a world was made with, got ${key}`)
  return signer
}

/** Ops as one reads them, for whoever looks at a failure. */
export function describeWorld({ ops }: World): string {
  const at = new Map(ops.map((op, i) => [op.id, `#${i}`]))
  const name = (id: OpId) => at.get(id) ?? `?${id.slice(0, 6)}`
  const shown = (_key: string, value: unknown) => {
    if (!(value instanceof Uint8Array)) return value
    if (value.length === 0 || value.length % 32 !== 0) return toHex(value)
    const ids = toHex(value).match(/.{64}/g) as string[]
    return ids.map((id) => at.get(id) ?? `:${id.slice(0, 4)}`).join()
  }
  const records = [...new Set(ops.map(({ header }) => header.record))]
  return ops
    .map(({ id, header, body }) => {
      const type = Object.entries(T).find(([, number]) => number === header.type)?.[0] ?? header.type
      const read = decode(body)
      const said = read.ok ? JSON.stringify(read.value, shown) : body.length === 0 ? '' : 'undecodable'
      const by = `k:${header.actor.slice(0, 4)}${header.via === undefined ? '' : ` a ${name(header.via)}`}`
      const on = header.parents.map(name).join()
      return `${name(id)} r${records.indexOf(header.record)} ${type} ${by} p [${on}] w ${header.w} ${said}`
    })
    .join('\n')
}

type About = 'authority' | 'mixed' | 'text' | 'deep'
type What = 'grant' | 'revoke' | 'keep' | 'rotate' | 'genesis' | 'put' | 'patch' | 'delete' | 'erase' | 'unknown'

/** Out of a hundred. */
const WEIGHTS: Readonly<Record<About, Readonly<Record<What, number>>>> = {
  authority: {
    grant: 20,
    revoke: 24,
    keep: 18,
    rotate: 13,
    genesis: 4,
    put: 3,
    patch: 13,
    delete: 1,
    erase: 3,
    unknown: 1,
  },
  mixed: { grant: 14, revoke: 18, keep: 9, rotate: 7, genesis: 5, put: 7, patch: 28, delete: 4, erase: 7, unknown: 1 },
  text: { grant: 10, revoke: 16, keep: 7, rotate: 7, genesis: 2, put: 2, patch: 45, delete: 1, erase: 9, unknown: 1 },
  deep: { grant: 60, revoke: 15, keep: 7, rotate: 3, genesis: 2, put: 2, patch: 10, delete: 0, erase: 0, unknown: 1 },
}

const EARLY: readonly What[] = ['grant', 'genesis', 'grant', 'grant', 'genesis', 'rotate', 'patch']

/** What is done is told by numbers, so that a failure shrinks to the plainest choice, which is always 0. */
type Step = {
  readonly what: number
  readonly dice: readonly number[]
  readonly verbs: VerbStep[]
  readonly body: { slug?: string; f: [Path, Value][]; s: [Path, Scalar[]][]; t: [Path, string][] }
}
const step: fc.Arbitrary<Step> = fc.record({
  what: fc.nat(99),
  dice: fc.array(fc.nat(9999), { minLength: 24, maxLength: 24 }),
  verbs: fc.array(verb, { maxLength: 3 }),
  body: entries,
}) as fc.Arbitrary<Step>

class Dice {
  readonly #rolled: number[]
  constructor(rolled: readonly number[]) {
    this.#rolled = [...rolled].reverse()
  }
  /** 0 to n - 1. */
  next(n: number): number {
    return (this.#rolled.pop() ?? 0) % n
  }
  chance(percent: number): boolean {
    return this.next(100) >= 100 - percent
  }
  one<Item>(items: readonly Item[]): Item {
    return items[this.next(items.length)] as Item
  }
  /** Newest first: half of the time one of the last two. */
  late<Item>(items: readonly Item[]): Item {
    const window = this.chance(50) ? items.length : Math.min(2, items.length)
    return items[items.length - 1 - this.next(window)] as Item
  }
  some<Item>(items: readonly Item[], percent: number): Item[] {
    let bits = this.next(10_000)
    return items.filter(() => {
      bits = (bits * 7919 + 12_345) % 10_007
      return bits % 100 >= 100 - percent
    })
  }
}

const NET = networkId('test')
const KINDS = ['model', 'agent'] as const
const KEYS_MAX = 34
/** In the order of map keys, as all lists of texts are. */
const ALL_RIGHTS = ['grant', 'write', 'create', 'delete']
const PATHS: readonly (readonly Path[])[] = [
  [['a', 'x']],
  [
    ['b', 'x'],
    ['t', 'x'],
  ],
  [['a']],
  [['b'], ['t']],
  [['s'], ['t', 'x']],
  [[]],
]
/** What a replica takes by its form, and what is inert or refused. */
const ODD_BODIES: readonly Uint8Array[] = [
  new Uint8Array(),
  Uint8Array.of(0xff),
  encode({ grant: new Uint8Array(31), keep: new Uint8Array() }),
  encode({ grant: new Uint8Array(32), keep: new Uint8Array(33) }),
  encode({ of: new Uint8Array(32) }),
  encode({ ids: new Uint8Array(31) }),
  encode({ ids: new Uint8Array(), reason: 'x'.repeat(257) }),
  encode({ c: new Uint8Array(31), keep: new Uint8Array() }),
  encode({ to: new Uint8Array(32), rights: [] }),
  encode({ to: new Uint8Array(32), rights: ['create', 'write'] }),
  encode({ to: new Uint8Array(32), rights: ['write'], kinds: ['model'], records: [new Uint8Array(32)] }),
  encode({ to: new Uint8Array(32), rights: ['write'], paths: [] }),
  encode({ to: new Uint8Array(32), rights: ['write'], expiry: -1 }),
  encode({ to: new Uint8Array(32), rights: ['write'], more: 1 }),
]

const hash = (text: string): string => toHex(sha256(utf8(text)))

const signers = new Map<string, KeySigner>()
const keys = new Map<string, string>()

function keyOf(name: string): string {
  let key = keys.get(name)
  if (key === undefined) {
    const signer = signerFromSeed(sha256(utf8(name)))
    key = signer.key
    keys.set(name, key)
    signers.set(key, signer)
  }
  return key
}

/** Those of an identity: one more than it may have, and one more. */
const OWNER_KEYS = Array.from({ length: KEYS_MAX }, (_, i) => keyOf(`owner ${i}`))
/** COMMITMENTS[i] comes with the key that follows OWNER_KEYS[i]. */
const COMMITMENTS = commitments()

function commitments(): string[] {
  const all = [hash('end')]
  for (const key of OWNER_KEYS.slice(1).reverse()) {
    all.unshift(toHex(sha256(concat(fromHex(key), fromHex(all[0] as string)))))
  }
  return all
}

type Signer = { readonly key: string; readonly via?: OpId | undefined }
type Granted = Signer & {
  readonly via: OpId
  readonly rights: readonly string[]
  /** One entry for each grant of the chain that limits records. */
  readonly limits: readonly ((record: RecordId) => boolean)[]
  /** Where the nearest grant of the chain that names places lets it write. */
  readonly paths: readonly Path[] | undefined
  readonly chain: readonly OpId[]
}
type Draft = { type: number; record: RecordId; parents: OpId[]; body: Uint8Array; signer: Signer; kind?: string }
type RecordState = {
  readonly id: RecordId
  readonly kind: string
  readonly ops: Op[]
  readonly texts: { epoch: OpId; path: Path }[]
}

class Maker {
  readonly #salt: number
  readonly #about: About
  readonly #spoil: number
  readonly #max: number
  readonly #owner: Owner
  readonly #authority: RecordId
  readonly #ops: Op[] = []
  /** As far as the maker can tell: ops that were not spoiled, and all that they name neither. */
  readonly #sound: Op[] = []
  readonly #rotating: boolean
  /** When the first op was made, in ms; none is more than 6 later. */
  readonly #began: number
  readonly #ownSigners: (Signer & { readonly step: number })[] = []
  readonly #granted: Granted[] = []
  #robbed: Signer | undefined
  /** How many of #granted there were before. */
  #grantedBefore = 0
  readonly #records: readonly RecordState[]
  readonly #pasts = new Map<OpId, Set<OpId>>()

  constructor(salt: number, rotating: boolean, about: About, spoil: number, max: number) {
    this.#salt = salt
    this.#about = about
    this.#spoil = spoil
    this.#max = max
    this.#rotating = rotating
    this.#began = salt * 16
    const key = OWNER_KEYS[0] as string
    if (rotating) {
      const body = encode({ c: fromHex(COMMITMENTS[0] as string) })
      this.#authority = toHex(hashIdentity(fromHex(NET), fromHex(key), sha256(body), this.#began, sha256))
      this.#owner = `02${this.#authority}`
      const identity = this.#push(
        { type: T.identity, record: this.#authority, parents: [], body, signer: { key } },
        this.#began,
        true,
      )
      this.#ownSigners.push({ key, via: (identity as Op).id, step: 1 })
    } else {
      this.#owner = `01${key}`
      this.#authority = authorityRecord(NET, this.#owner)
      this.#ownSigners.push({ key, step: 1 })
    }
    this.#records = KINDS.map((kind, i) => {
      const id = recordId({ net: NET, owner: this.#owner, kind, slug: `acme/${salt} ${i}` })
      return { id, kind, ops: [], texts: [] }
    })
  }

  world(): World {
    return { owner: this.#owner, record: this.#authority, ops: [...this.#ops] }
  }

  /** `early`: there is nothing to take away yet. */
  take(one: Step, early: boolean): void {
    if (this.#ops.length >= this.#max) return
    const dice = new Dice(one.dice)
    const w = this.#began + dice.next(7)
    let what = early ? (EARLY[one.what % EARLY.length] as What) : this.#whatOf(one.what)
    if (what === 'grant' && !early) what = dice.one(['grant', 'grant', 'keep', 'keep', 'rotate'])
    // Nobody who has lost a key's authority has the key that comes after it.
    if (what === 'rotate' && this.#robbed !== undefined) what = 'revoke'
    let draft = this.#draft(what, one, dice)
    if (this.#robbed !== undefined) draft.signer = dice.one([this.#robbed, ...this.#granted.slice(this.#grantedBefore)])
    const spoiled = dice.chance(this.#spoil)
    if (spoiled) draft = this.#spoiled(draft, dice)
    const op = this.#push(draft, w, !spoiled)
    if (op === undefined || spoiled) return
    this.#remember(op, draft.signer, one)
  }

  /** From here on only one key signs, and those it grants to: one whose authority the owner has just taken. */
  takeAway(one: Step): void {
    const dice = new Dice(one.dice)
    const w = this.#began + dice.next(7)
    if (this.#granted.length === 0 && !this.#rotating) {
      const grant = this.#grant(dice)
      this.#remember(this.#push(grant, w, true) as Op, grant.signer, one)
    }
    const draft =
      this.#rotating && (this.#granted.length === 0 || dice.chance(50)) ? this.#rotate(dice) : this.#revoke(dice)
    const from = this.#ownSigners.find(({ via }) => via === draft.signer.via)
    if (draft.type === T.revoke) {
      draft.signer = this.#ownSigners.at(-1) as Signer
      const { grant } = (decode(draft.body) as unknown as { value: { grant: Uint8Array } }).value
      this.#robbed = this.#granted.find(({ via }) => via === toHex(grant)) as Granted
    } else this.#robbed = dice.one(this.#ownSigners.filter(({ step }) => step === from?.step))
    const op = this.#push(draft, w, true)
    if (op !== undefined) this.#remember(op, draft.signer, one)
    this.#grantedBefore = this.#granted.length
  }

  #whatOf(number: number): What {
    let left = number
    for (const [what, weight] of Object.entries(WEIGHTS[this.#about])) {
      left -= weight
      if (left < 0) return what as What
    }
    return 'grant'
  }

  #draft(what: What, one: Step, dice: Dice): Draft {
    const revokes = this.#sound.filter(({ header: { type } }) => type === T.revoke || type === T.rotate)
    switch (what) {
      case 'revoke':
        return this.#granted.length === 0 ? this.#grant(dice) : this.#revoke(dice)
      case 'keep':
        if (revokes.length === 0) return this.#granted.length === 0 ? this.#grant(dice) : this.#revoke(dice)
        return this.#keep(revokes, dice)
      case 'rotate':
        return !this.#rotating ? this.#grant(dice) : this.#rotate(dice)
      case 'grant':
        return this.#grant(dice)
      default:
        return this.#content(what, one, dice)
    }
  }

  #grant(dice: Dice): Draft {
    const signer = this.#signer('grant', undefined, dice)
    const map: Record<string, Value> = {
      to: fromHex(dice.chance(4) ? (OWNER_KEYS[0] as string) : keyOf(dice.one(['A', 'B', 'C']))),
      rights: dice.chance(25)
        ? dice.one([['write'], ['write', 'create'], ['grant', 'write'], ['other', 'delete']])
        : ALL_RIGHTS,
    }
    const limit = dice.next(100)
    if (limit >= 92) map['kinds'] = [KINDS[0]]
    else if (limit >= 84) map['records'] = [fromHex((this.#records[dice.next(2)] as RecordState).id)]
    if (dice.chance(25)) map['paths'] = dice.one(PATHS)
    if (dice.chance(10)) map['expiry'] = this.#began + dice.next(7)
    return {
      type: T.grant,
      record: this.#authority,
      parents: this.#authorityParents(dice, 0),
      body: encode(map),
      signer,
    }
  }

  #revoke(dice: Dice): Draft {
    const target = dice.late(this.#granted)
    const above = this.#granted.filter(({ via }) => target.chain.slice(1).includes(via))
    const roll = dice.next(100)
    const signer =
      roll < 45
        ? this.#ownSigner(dice)
        : roll < 80 && above.length > 0
          ? dice.one(above)
          : this.#signer('grant', undefined, dice)
    const body = encode({ grant: fromHex(target.via), keep: this.#ids(dice) })
    return { type: T.revoke, record: this.#authority, parents: this.#authorityParents(dice, 0), body, signer }
  }

  #keep(revokes: readonly Op[], dice: Dice): Draft {
    const of = dice.chance(4) ? dice.one(this.#sound) : dice.late(revokes)
    const roll = dice.next(100)
    const same = { key: of.header.actor, via: of.header.via }
    const signer =
      roll < 45
        ? this.#ownSigner(dice)
        : roll < 80 && of.header.type === T.revoke
          ? same
          : this.#signer('grant', undefined, dice)
    const body = encode({ of: fromHex(of.id), ids: this.#idsOf(this.#ops, 60, dice) })
    return { type: T.keep, record: this.#authority, parents: this.#authorityParents(dice, 0), body, signer }
  }

  #rotate(dice: Dice): Draft {
    const from = dice.late(this.#ownSigners)
    const key = OWNER_KEYS[from.step] as string
    const body = encode({ c: fromHex(COMMITMENTS[from.step] as string), keep: this.#ids(dice) })
    const signer = { key, via: from.via }
    return { type: T.rotate, record: this.#authority, parents: this.#authorityParents(dice, 1), body, signer }
  }

  #content(what: Exclude<What, 'grant' | 'revoke' | 'keep' | 'rotate'>, one: Step, dice: Dice): Draft {
    const record = this.#records[dice.chance(this.#about === 'text' ? 3 : 15) ? 1 : 0] as RecordState
    const { id, kind, ops } = record
    const type = ops.length === 0 ? T.genesis : T[what]
    const right = type === T.genesis ? 'create' : type === T.delete ? 'delete' : 'write'
    const anybody = type === T.unknown && this.#granted.length > 0 && dice.chance(50)
    const signer =
      type === T.erase ? this.#ownSigner(dice) : anybody ? dice.one(this.#granted) : this.#signer(right, id, dice)
    const parents = type === T.genesis ? [] : this.#parents(ops, dice)
    const past = new Set(parents.flatMap((parent) => [parent, ...(this.#pasts.get(parent) as Set<OpId>)]))
    let body: Uint8Array
    if (type === T.erase) body = encode({ ids: this.#idsOf(dice.chance(5) ? this.#ops : ops, 45, dice) })
    else if (type === T.unknown) body = Uint8Array.of(1)
    else body = bodyOf(this.#saidBy(type, one, signer, dice), record.texts, past)
    if (dice.chance(2)) body = dice.one(ODD_BODIES)
    return { type, record: id, parents, body, signer, ...(type === T.genesis ? { kind } : {}) }
  }

  #saidBy(type: number, { verbs, body }: Step, { via }: Signer, dice: Dice): Parameters<typeof bodyOf>[0] {
    if (type === T.delete) return { type: 'delete' }
    const isText = this.#about === 'text'
    if (type !== T.patch) {
      return { type: 'put', body: isText ? { ...body, t: [...body.t, [['t'], 'one two three']] } : body }
    }
    const wanted = isText
      ? verbs.filter((one, i) => 'epochOf' in one || (i === 2 && Array.isArray(one) && one[0] === 'text'))
      : verbs
    // One at least, at a place that others write to as well.
    const splice = { epochOf: 0, stray: false, at: dice.next(14), del: dice.next(6), ins: dice.one(['', 'Q', 'RST']) }
    const set: VerbStep = ['set', dice.one<Path>([['a'], ['a', 'x'], ['b'], ['t']]), dice.next(3)]
    // Who is limited to some places mostly keeps to them, and what is around them is not his to cover.
    const places = this.#granted.find((granted) => granted.via === via)?.paths
    const allowed: VerbStep | undefined = places && ['set', dice.one(places), dice.next(3)]
    const more = allowed !== undefined && dice.chance(60) ? allowed : isText ? splice : set
    return { type: 'patch', verbs: [...wanted, more] }
  }

  /** What later steps need to know of an op. */
  #remember({ id, header, body }: Op, signer: Signer, one: Step): void {
    const read = decode(body)
    const { via } = signer
    if (header.type === T.rotate) {
      const from = this.#ownSigners.find((other) => other.via === via)
      if (from !== undefined) this.#ownSigners.push({ key: header.actor, via: id, step: from.step + 1 })
    }
    if (header.type === T.grant && read.ok) {
      const map = read.value as unknown as {
        to: Uint8Array
        rights: string[]
        kinds?: string[]
        records?: Uint8Array[]
        paths?: Path[]
      }
      const above = this.#granted.find((other) => other.via === via)
      const limit = (record: RecordId): boolean => {
        if (map.records !== undefined) return map.records.some((one) => toHex(one) === record)
        return (
          map.kinds === undefined || map.kinds.includes(this.#records.find((other) => other.id === record)?.kind ?? '')
        )
      }
      const rights = map.rights.filter((right) => above === undefined || above.rights.includes(right))
      const chain = [id, ...(above?.chain ?? [])]
      this.#granted.push({
        key: toHex(map.to),
        via: id,
        rights,
        limits: [limit, ...(above?.limits ?? [])],
        paths: map.paths ?? above?.paths,
        chain,
      })
    }
    const record = this.#records.find((other) => other.id === header.record)
    if (record === undefined) return
    if (header.type === T.patch) {
      for (const verb of one.verbs)
        if (Array.isArray(verb) && verb[0] === 'text') record.texts.push({ epoch: id, path: verb[1] as Path })
    } else if (header.type <= T.put) {
      const t = this.#about === 'text' ? [...one.body.t, [['t'], ''] as const] : one.body.t
      for (const [path] of t) record.texts.push({ epoch: id, path })
    }
  }

  /** Some owner's key, mostly the newest. */
  #ownSigner(dice: Dice): Signer {
    return dice.chance(30) ? dice.one(this.#ownSigners) : (this.#ownSigners.at(-1) as Signer)
  }

  /** Mostly somebody who may; in an authority record when none is given. */
  #signer(right: string, record: RecordId | undefined, dice: Dice): Signer {
    const may = this.#granted.filter(
      ({ rights, limits, chain }) =>
        rights.includes(right) &&
        chain.length <= (this.#about === 'deep' ? 9 : 8) &&
        (record === undefined || limits.every((limit) => limit(record))),
    )
    const granted = dice.chance(4) ? this.#granted : may
    if (granted.length === 0 || !dice.chance(this.#about === 'deep' ? 95 : 65)) return this.#ownSigner(dice)
    return dice.chance(this.#about === 'deep' ? 80 : 40) ? (granted.at(-1) as Signer) : dice.one(granted)
  }

  #ids(dice: Dice): Uint8Array {
    return this.#idsOf(this.#ops, dice.chance(40) ? 50 : 20, dice)
  }

  #idsOf(ops: readonly Op[], percent: number, dice: Dice): Uint8Array {
    const ids = dice.some(ops, percent).map(({ id }) => id)
    return fromHex([...ids, ...(dice.chance(3) ? [hash('nobody')] : [])].join(''))
  }

  #authorityParents(dice: Dice, least: number): OpId[] {
    const ops = this.#sound.filter(({ header }) => header.record === this.#authority)
    if (ops.length === 0 || (least === 0 && dice.chance(25))) return []
    // The first alone: nobody's past.
    if (dice.chance(25)) return [(ops[0] as Op).id]
    return this.#parents(ops, dice)
  }

  #parents(ops: readonly Op[], dice: Dice): OpId[] {
    if (dice.chance(50)) return [dice.late(ops).id]
    const named = new Set(ops.flatMap(({ header }) => header.parents))
    const heads = ops.map(({ id }) => id).filter((id) => !named.has(id))
    if (dice.chance(60)) return [...new Set([dice.late(ops).id, dice.late(ops).id])].sort()
    return heads.slice(-16).sort()
  }

  /** Wrong in one way that the wire can tell: it has no place for a genesis' parents, or a record other than its own. */
  #spoiled(draft: Draft, dice: Dice): Draft {
    const any = dice.one(this.#ops.length > 0 ? this.#ops : [{ id: hash('nobody') } as Op]).id
    const { type, signer, parents } = draft
    switch (dice.next(13)) {
      case 0:
        return {
          ...draft,
          signer: { ...signer, key: dice.chance(50) ? keyOf('B') : (OWNER_KEYS[1] as string) },
        }
      case 1:
        return { ...draft, signer: { key: signer.key } }
      case 2:
        return { ...draft, signer: { ...signer, via: any } }
      case 3:
        return type === T.genesis
          ? draft
          : { ...draft, record: dice.one([this.#authority, ...this.#records.map(({ id }) => id), hash('none')]) }
      case 4:
        return type === T.genesis ? draft : { ...draft, parents: [...new Set([...parents, any])].sort() }
      case 5:
        return type === T.genesis ? draft : { ...draft, parents: [...parents, ...parents, any].reverse() }
      case 6:
        return type === T.genesis ? draft : { ...draft, type: dice.one([2, 3, 4, 5, 6, 7, 8, 10, 14, 20, 12]) }
      case 7:
        return { ...draft, body: dice.one(ODD_BODIES) }
      case 8:
        return { ...draft, parents: [] }
      case 9:
        return type === T.rotate
          ? { ...draft, body: encode({ c: fromHex(hash('other')), keep: new Uint8Array() }) }
          : { ...draft, signer: { ...signer, via: this.#foreign(dice).id } }
      case 10:
        return { ...draft, signer: { ...signer, via: dice.chance(30) ? hash('nobody') : this.#foreign(dice).id } }
      case 11:
        return type === T.genesis ? draft : { ...draft, parents: [hash('nobody')] }
      default: {
        // Another signer's authority: a thief who has the text of a grant and not its key.
        const other = this.#granted.length > 0 ? dice.one(this.#granted) : dice.one(this.#ownSigners)
        return { ...draft, signer: { key: signer.key, via: other.via } }
      }
    }
  }

  /** Another owner's op, in the authority record of that owner: a grant to our people, or a revoke of a grant of ours. */
  #foreign(dice: Dice): Op {
    const key = keyOf('foreign')
    const target = this.#granted.at(-1)
    const isGrant = target === undefined || dice.chance(70)
    const body = isGrant
      ? encode({ to: fromHex(keyOf('A')), rights: ALL_RIGHTS })
      : encode({ grant: fromHex(target.via), keep: new Uint8Array() })
    const type = isGrant ? T.grant : T.revoke
    const draft = { type, record: authorityRecord(NET, `01${key}`), parents: [], body, signer: { key } }
    const op = opOf(draft, this.#began, this.#owner)
    if (this.#ops.length < this.#max - 1 && !this.#ops.some(({ id }) => id === op.id)) this.#ops.push(op)
    return op
  }

  #push(draft: Draft, w: number, sound: boolean): Op | undefined {
    const op = opOf(draft, w, this.#owner, draft.kind === undefined ? '' : this.#slugOf(draft.record))
    if (this.#ops.some(({ id }) => id === op.id)) return undefined
    this.#ops.push(op)
    const known = op.header.parents.filter((parent) => this.#pasts.has(parent))
    this.#pasts.set(op.id, new Set(known.flatMap((parent) => [parent, ...(this.#pasts.get(parent) as Set<OpId>)])))
    if (sound) {
      this.#sound.push(op)
      this.#records?.find(({ id }) => id === op.header.record)?.ops.push(op)
    }
    return op
  }

  #slugOf(record: RecordId): string {
    return `acme/${this.#salt} ${this.#records.findIndex(({ id }) => id === record)}`
  }
}

function opOf({ type, record, parents, body, signer, kind }: Draft, w: number, owner: Owner, slug = ''): Op {
  const header = {
    net: NET,
    type,
    record,
    actor: signer.key,
    parents,
    ...(signer.via === undefined ? {} : { via: signer.via }),
    w,
    bodyLength: body.length,
    bodyHash: toHex(sha256(body)),
    ...(kind === undefined ? {} : { genesis: { owner, kind, slugHash: hash(slug) } }),
  }
  return { id: opId(header), header, body }
}
