/**
 * Those who use the nodes: writers at a node and publishers elsewhere, owners who let others write and take it back,
 * identities that change their keys, and bundles that are carried about. They say what is honest; whether it arrives, and
 * what is left of it, is for the checks.
 */
import {
  concat,
  type Grant,
  type Merged,
  OP_TYPES,
  type OpId,
  type Owner,
  PARENTS_MAX,
  type ToWrite,
} from '../../crdt/index.ts'
import { Authorities } from '../../node/authorities.ts'
import { bundleHeadBytes, readBundle, writeBundle } from '../../node/bundle.ts'
import { nativeSuite } from '../../node/native.ts'
import { plainPackets } from '../../node/packet.ts'
import type { Replica } from '../../node/replica.ts'
import type { LocalWrite, Signer, Source } from '../../node/replica-types.ts'
import { Chance } from './chance.ts'
import { frameOf, historyOf } from './histories.ts'
import { SimIdentity, STEPS } from './identities.ts'
import { draft, KINDS, kindOf, ownerOf, recordOf, SLUGS, sealed } from './library.ts'
import type { Action } from './plan.ts'
import { NET, type SimNode } from './sim-node.ts'
import type { World } from './world.ts'
import { saySomething } from './writes.ts'

type Doing = Extract<Action, { do: 'write' | 'submit' | 'deliver' | 'speak' | 'authorise' | 'carry' }>
/** A node whose process is up when somebody comes to it. */
type Place = { readonly node: SimNode; readonly replica: Replica }

const RIGHTS = ['create', 'write', 'delete', 'grant'] as const
const PATHS = [[['name']], [['a'], ['tags']], [['text']]] as const
const bundles = { codec: plainPackets, sha256: nativeSuite.sha256 }

export class People {
  readonly #world: World
  readonly #identities = new Map<number, SimIdentity>()

  constructor(world: World) {
    this.#world = world
  }

  async do(action: Doing): Promise<void> {
    const node = this.#world.nodes.get(action.node)!
    const replica = node.parts?.replica
    if (replica === undefined) return
    const place = { node, replica }
    const chance = 'r' in action ? new Chance(this.#world.plan.seed, action.do, action.r) : undefined
    try {
      if (action.do === 'write') await this.#write(place, chance!)
      else if (action.do === 'submit') await this.#submit(place, action.publisher, chance!)
      else if (action.do === 'deliver') await this.#deliver(place, action.history, action.op)
      else if (action.do === 'speak') await this.#speak(place, action.identity, chance!)
      else if (action.do === 'authorise') await this.#authorise(place, chance!)
      else await this.#carry(place, action.from)
    } catch (error) {
      this.#world.expected(error)
    }
  }

  /** The node signs: what is its own, and now and then what is another's. */
  async #write({ node, replica }: Place, chance: Chance): Promise<void> {
    await this.#writeAs(node, replica, chance, () =>
      chance.yes(this.#sharing) ? chance.pick(this.#owners()) : ownerOf(node.signer),
    )
  }

  async #writeAs(node: SimNode, replica: Replica, chance: Chance, whose: () => Owner): Promise<void> {
    const writes = Array.from({ length: chance.int(1, 3) }, (): LocalWrite => {
      const owner = whose()
      const slug = chance.pick(SLUGS)
      const decide = (before: Merged | undefined) => this.#say(chance, before, slug)
      return { record: recordOf(owner, slug), kind: kindOf(slug), slug, owner, decide }
    })
    for (const outcome of await replica.write(writes)) {
      if (outcome.outcome === 'written') this.#world.acknowledge(node.id, outcome.op)
    }
  }

  async #submit(place: Place, number: number, chance: Chance): Promise<void> {
    const signer = this.#publisher(number)
    const owner = chance.yes(this.#sharing) ? chance.pick(this.#owners()) : ownerOf(signer)
    await this.#sign(place, { signer, owner }, chance)
  }

  /**
   * Somebody with a key of their own signs on top of what they see at this node, or saw elsewhere before. Of another's
   * records only what the grants that this node knows allow. `told`: frames that go before it.
   */
  async #sign(
    { node, replica }: Place,
    as: { readonly signer: Signer; readonly owner: Owner; readonly via?: OpId; readonly told?: readonly Uint8Array[] },
    chance: Chance,
  ): Promise<void> {
    const { signer, owner, told = [] } = as
    const { library } = this.#world
    const slug = chance.pick(SLUGS)
    const record = recordOf(owner, slug)
    const before = await replica.record(record)
    const w = this.#dateOf(node, chance)
    const said = this.#say(chance, before, slug)
    const type = OP_TYPES.indexOf(said.do) + 1
    const authority = as.via === undefined ? await replica.authority(owner) : undefined
    const via = authority === undefined ? as.via : authority.viaFor(signer.key, { type, record, w }, kindOf(slug))
    if (via === undefined) return
    const relied = via === null ? {} : { via }
    const seen = library.byRecord.get(record)
    let parents = before?.heads.slice(0, PARENTS_MAX) ?? []
    // On an older state, or on one that this node has not heard of.
    if (said.do !== 'genesis' && seen !== undefined && chance.yes(0.35)) {
      parents = [...new Set([chance.pick(seen).id, ...(chance.yes(0.3) ? [chance.pick(seen).id] : [])])]
    }
    const op =
      said.do === 'genesis'
        ? draft(signer, { type: 'genesis', owner, kind: kindOf(slug), slug, w, body: said.body, ...relied })
        : draft(signer, { type: said.do, record, parents, w, body: said.body, ...relied })
    const [frame] = sealed(signer, [op])
    library.add(op, frame!)
    await this.#admit(node.id, replica, [...told, frame!])
  }

  /** An op that somebody signed elsewhere and sends to this node; it may come before what it builds on. */
  async #deliver({ node, replica }: Place, number: number, at: number): Promise<void> {
    const world = this.#world
    const history = historyOf(number)
    const op = history.ops[at]!
    const frame = frameOf(op)
    if (history.valid.has(op.id)) world.library.add(op, frame)
    for (const taken of await this.#admit(node.id, replica, [frame])) {
      if (!history.valid.has(taken)) world.violate('S3', `${node.id} took op ${taken}, which no rule allows`)
    }
  }

  /** The owner of an identity writes, with the key of today or one that has not heard of it; or changes the key. */
  async #speak({ node, replica }: Place, number: number, chance: Chance): Promise<void> {
    const world = this.#world
    const identity = this.#identity(number)
    const { owner } = identity
    if (chance.yes(0.25) && identity.mayRotate) {
      const last = identity.steps.at(-1)!
      const heads = (await replica.authority(owner)).heads()
      const done = chance.yes(0.7) ? await new Authorities(replica).done(owner, last.op.id) : []
      // Somebody else may have done so meanwhile.
      if (identity.steps.at(-1) !== last) return
      const parents = heads.length > 0 ? heads.slice(0, PARENTS_MAX) : [last.op.id]
      identity.rotate(parents, done ?? [], this.#dateOf(node, chance))
    }
    const step = chance.yes(0.75) ? identity.step : chance.int(0, identity.step)
    const told = identity.steps.slice(0, step + 1)
    for (const { op, frame } of told) world.library.add(op, frame)
    const frames = told.map(({ frame }) => frame)
    const custodian = step === 0 ? this.#custodian(number) : undefined
    if (custodian === undefined) {
      const via = told.at(-1)!.op.id
      return this.#sign({ node, replica }, { signer: identity.signer(step), owner, via, told: frames }, chance)
    }
    // That key is a node's own, and signs there alone.
    const there = custodian.parts?.replica
    if (there === undefined) return
    await this.#admit(custodian.id, there, frames)
    await this.#writeAs(custodian, there, chance, () => owner)
  }

  async #authorise({ node, replica }: Place, chance: Chance): Promise<void> {
    const world = this.#world
    const authorities = new Authorities(replica)
    const owner = chance.yes(0.75) ? ownerOf(node.signer) : chance.pick(this.#owners())
    const kept = (ops: readonly OpId[]) => {
      for (const op of ops) world.acknowledge(node.id, op)
    }
    const draw = chance.float()
    if (draw < 0.15) {
      const record = recordOf(owner, chance.pick(SLUGS))
      const some = (world.library.byRecord.get(record) ?? []).filter(() => chance.yes(0.4)).map(({ id }) => id)
      const erased = await authorities.erase(record, chance.yes(0.5) ? { ops: some } : {})
      return kept(erased.outcome === 'erased' ? erased.erases : [])
    }
    const grants = draw < 0.5 ? authorities.grants(await replica.authority(owner)) : []
    if (grants.length > 0) {
      const since = chance.pick([...world.library.ops.keys()])
      const revoked = await authorities.revoke(
        owner,
        chance.pick(grants).op,
        chance.pick(['seen', 'seen', 'nothing', { since }]),
      )
      return kept(revoked.outcome === 'revoked' ? [revoked.revoke, ...revoked.keeps] : [])
    }
    const granted = await authorities.grant({ ...this.#wish(owner, node, chance), owner })
    kept(granted.outcome === 'granted' ? granted.grants : [])
  }

  #wish(owner: Owner, node: SimNode, chance: Chance): Grant {
    const others = [...this.#world.nodes.values()].map(({ signer }) => signer.key)
    const to = chance.pick([...others, ...[0, 1, 2].map((number) => this.#publisher(number).key)])
    const some = RIGHTS.filter(() => chance.yes(0.6))
    const limit = chance.float()
    return {
      to,
      rights: chance.yes(0.5) || some.length === 0 ? RIGHTS : some,
      ...(limit < 0.15 && { kinds: [chance.pick(KINDS)] }),
      ...(limit > 0.85 && { records: [recordOf(owner, chance.pick(SLUGS))] }),
      ...(chance.yes(0.2) && { paths: chance.pick(PATHS) }),
      ...(chance.yes(0.1) && { expiry: Math.floor(this.#now(node)) + chance.int(0, 60_000) }),
    }
  }

  /** All that one node holds and serves, in a file. */
  async #carry({ node, replica }: Place, id: string): Promise<void> {
    const from = this.#world.nodes.get(id)!.parts?.replica
    if (from === undefined || from === replica) return
    const bytes = concat(...(await Array.fromAsync(writeBundle(from, {}, bundles))))
    const chunks = async function* () {
      yield bytes.subarray(bundleHeadBytes)
    }
    for await (const item of readBundle(NET, chunks(), bundles)) {
      if (item.is === 'damage') this.#world.violate('S4', `a bundle of ${id} does not read back: ${item.why}`)
      if (item.is === 'part') await this.#admit(node.id, replica, item.frames, { via: 'file' })
    }
  }

  /** Answers which ops are held now. */
  async #admit(
    id: string,
    replica: Replica,
    frames: readonly Uint8Array[],
    source: Source = { via: 'http' },
  ): Promise<readonly OpId[]> {
    const { results } = await replica.admit(frames, source, { sync: true })
    const held = results.flatMap(({ op, verdict }) => (verdict === 'applied' || verdict === 'duplicate' ? [op] : []))
    for (const op of held) if (this.#world.library.ops.has(op)) this.#world.acknowledge(id, op)
    return held
  }

  #say(chance: Chance, before: Merged | undefined, slug: string): ToWrite {
    return saySomething(chance, before, slug, this.#world.plan.bulkBytes)
  }

  get #sharing(): number {
    return this.#world.plan.sharing ?? 0
  }

  /** Who may let others write. */
  #owners(): Owner[] {
    const nodes = [...this.#world.nodes.values()].map(({ signer }) => ownerOf(signer))
    return [...nodes, ...[...this.#identities.values()].map(({ owner }) => owner)]
  }

  #publisher(number: number): Signer {
    return this.#world.signatures.signer(500 + number)
  }

  #identity(number: number): SimIdentity {
    let identity = this.#identities.get(number)
    if (identity === undefined) {
      const signers = Array.from({ length: STEPS }, (_, i) => this.#world.signatures.signer(600 + number * STEPS + i))
      const first = this.#custodian(number)?.signer
      identity = new SimIdentity(first === undefined ? signers : [first, ...signers.slice(1)])
      this.#identities.set(number, identity)
    }
    return identity
  }

  /** The node whose key founded it. */
  #custodian(number: number): SimNode | undefined {
    return number === 0 ? this.#world.nodes.get(this.#world.plan.nodes[0]!) : undefined
  }

  /** Mostly the node's date; some writers' clocks are off, by minutes or by years. */
  #dateOf(node: SimNode, chance: Chance): number {
    const off = chance.yes(0.9) ? 0 : chance.int(-3_000_000_000, 400_000)
    return Math.max(0, this.#now(node) + off)
  }

  /** 0 when its process has ended meanwhile. */
  #now(node: SimNode): number {
    return node.parts?.transport.clock.now() ?? 0
  }
}
