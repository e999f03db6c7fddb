/**
 * A peer that lies. It knows everything that honest writers have made, has keys of its own, speaks the protocols when it
 * wants to, and is bound by nothing but the network: what it sends arrives as anybody's does.
 *
 * What it does of itself are behaviours, events of the plan; how it answers those who come to it is its manner.
 */
import { encodeBody, type Op, parseFrame } from '../../../crdt/index.ts'
import { nativeSuite } from '../../../node/native.ts'
import { pack, plainPackets } from '../../../node/packet.ts'
import { opsTopic } from '../../../node/protocols.ts'
import type { Signer } from '../../../node/replica-types.ts'
import { hello, RawChannel } from '../../support/raw-peer.ts'
import { Chance } from '../chance.ts'
import { draft, KIND, type Known, ownerOf, recordOf, sealed } from '../library.ts'
import type { SimTransport } from '../network.ts'
import { ProcessClock } from '../scheduler.ts'
import { NET } from '../sim-node.ts'
import type { World } from '../world.ts'
import { MANNERS } from './manners.ts'

/** One lie. What it throws is its own affair: a liar may be hung up on at any point. */
export type Behaviour = { readonly name: string; readonly act: (liar: Liar, chance: Chance) => void | Promise<void> }
/** How a liar answers. Called once, at the start. */
export type Manner = { readonly name: string; readonly begin: (liar: Liar) => void | Promise<void> }

export type LiarOptions = {
  readonly id: string
  readonly seed: number
  readonly world: World
  readonly signer: Signer
  readonly manner: string
}

export class Liar {
  readonly id: string
  readonly world: World
  readonly signer: Signer
  readonly chance: Chance
  readonly clock: ProcessClock
  readonly transport: SimTransport
  readonly #manner: Manner
  #slugs = 0

  constructor({ id, seed, world, signer, manner }: LiarOptions) {
    this.id = id
    this.world = world
    this.signer = signer
    this.chance = new Chance(seed, 'liar', id)
    this.#manner = MANNERS.find(({ name }) => name === manner)!
    const run = (call: () => void) => call()
    this.clock = new ProcessClock(world.scheduler, run, () => 0)
    this.transport = world.network.attach(id, this.clock, run)
  }

  start(): void {
    void this.#quietly(() => this.#manner.begin(this))
  }

  lie(behaviour: Behaviour, chance: Chance): void {
    void this.#quietly(() => behaviour.act(this, chance))
  }

  /** Correct nodes that it is connected with. */
  get victims(): string[] {
    return this.transport.peers().filter((peer) => this.world.nodes.has(peer))
  }

  /** Some op that an honest writer made, if there is one: often one of the last, which not all have heard of. */
  honest(chance: Chance): Known | undefined {
    const all = [...this.world.library.ops.values()]
    return all.length === 0 ? undefined : chance.pick(chance.yes(0.5) ? all.slice(-3) : all)
  }

  /** A record of its own, begun by a true genesis. */
  begin(name = 'liar'): { readonly record: string; readonly genesis: Op } {
    const slug = `${name} ${this.#slugs++}`
    const genesis = draft(this.signer, {
      type: 'genesis',
      owner: ownerOf(this.signer),
      kind: KIND,
      slug,
      w: Math.floor(this.clock.now()),
      body: encodeBody({ slug, f: [[['name'], slug]], s: [], t: [] }),
    })
    return { record: recordOf(ownerOf(this.signer), slug), genesis }
  }

  seal(ops: readonly Op[]): Uint8Array[] {
    return sealed(this.signer, ops)
  }

  /** Gossips a packet of these frames: to all it knows, or to some. */
  async gossip(frames: readonly Uint8Array[], to?: readonly string[]): Promise<void> {
    this.whisper(await pack(frames, plainPackets), to)
  }

  /** Any bytes, as gossip. */
  whisper(bytes: Uint8Array, to: readonly string[] = this.transport.peers()): void {
    for (const peer of to) this.transport.whisper(peer, opsTopic(NET), bytes)
  }

  /** Opens a session with one that it is connected with. */
  session(peer: string): Promise<RawChannel> {
    return RawChannel.open(this.transport, peer)
  }

  /** Offers an endless log and hands these frames to whoever asks for it; then gives nothing more. */
  async serve(frames: readonly Uint8Array[], peer: string): Promise<void> {
    const raw = await this.session(peer)
    const much = frames.length * 256 + 1_000
    await raw.say(hello({ seq: much, ops: much, epoch: this.chance.pick(EPOCHS) }))
    const since = await raw.hearA('since')
    if (since === undefined) return
    if (since.mode === 'ids') {
      const ids = frames.flatMap((bytes) => {
        const parsed = parseFrame(bytes, NET, nativeSuite.sha256)
        return parsed.ok ? parsed.frame.entries.map(({ op }) => op.id) : []
      })
      if (ids.length > 0) await raw.say({ m: 'ids', q: since.q, seq: ids.length, ids: ids.slice(0, 2_000) })
      const get = ids.length > 0 ? await raw.hearA('get') : undefined
      if (get !== undefined) {
        await raw.sayPacket(get.q, 0, frames)
        await raw.say({ m: 'end', q: get.q, seq: 0 })
      }
    } else await raw.sayPacket(since.q, much, frames)
    await raw.say({ m: 'end', q: since.q, seq: much })
    // Whatever it is still asked for it does not have.
    for (let message = await raw.hear(); message !== undefined; message = await raw.hear()) {
      if (message.m === 'get') await raw.say({ m: 'end', q: message.q, seq: 0 })
    }
  }

  /** By gossip, or by a session with one peer. */
  async spread(frames: readonly Uint8Array[], chance: Chance): Promise<void> {
    if (chance.yes(0.6)) return this.gossip(frames)
    const [victim] = chance.shuffled(this.victims)
    if (victim !== undefined) await this.serve(frames, victim)
  }

  async #quietly(call: () => void | Promise<void>): Promise<void> {
    try {
      await call()
    } catch {
      // Nobody minds what a liar meets.
    }
  }
}

const EPOCHS = ['0'.repeat(32), '1'.repeat(32), 'f'.repeat(32)]
