/**
 * Live ops: what this node appends is announced at once, what others announce is admitted before it goes on.
 *
 * Gossip is for speed, never for certainty: what it drops (a full queue, a rate, a late answer), sync sessions bring,
 * and whoever drops something asks for one. Only what did not come from a peer is announced; gossipsub itself forwards
 * what it delivered, and a session tells its news by further sessions.
 *
 *   offset  size  field
 *        0     1  0, 1 = a packet (packet.ts); 2 = ids of ops to be fetched from the sender
 *        1     …  32 bytes an id
 */
import type { OpId } from '../crdt/index.ts'
import { type Counters, countsOf } from './counters.ts'
import type { Environment } from './environment.ts'
import {
  gossipIdsMax,
  gossipMessageBytesMax,
  gossipOpsBurst,
  gossipOpsPerSecondMax,
  gossipPeersMax,
  gossipQueueBytesMax,
  gossipValidateMs,
  gossipValidatingMax,
} from './limits.ts'
import { type PacketCodec, pack, unpack, zstdPackets } from './packet.ts'
import { opsTopic } from './protocols.ts'
import type { Appended, Log, ReplicaFace } from './replica-types.ts'
import { joinIds, splitIds } from './sync-messages.ts'
import { MISDEEDS, type Misdeed, type Transport, type Validity } from './transport.ts'

export type GossipOptions = {
  readonly replica: ReplicaFace
  readonly transport: Transport
  readonly environment: Environment
  readonly codec?: PacketCodec
  readonly log?: Log
  /** Fetches ops from the peer that has them. `live`: they were announced, and what holds for gossip holds for them. */
  readonly fetch: (peer: string, ids: readonly OpId[], live?: boolean) => Promise<void>
  /** A peer has more than gossip takes from it: hold a session. */
  readonly behind: (peer: string) => void
  /** We have more than gossip carries: hold sessions with all. */
  readonly news: () => void
}

/** Why a message was not accepted, and that it was: the labels of the counter. */
const OUTCOMES = [
  'accepted',
  'outside',
  'known',
  'pending',
  'refused',
  'rate',
  'busy',
  'late',
  'rejected',
  'failed',
] as const
type Outcome = (typeof OUTCOMES)[number]

const IDS = 2

export class Gossip implements AsyncDisposable {
  readonly #options: GossipOptions
  readonly #codec: PacketCodec
  readonly #topic: string
  readonly #queue: Item[] = []
  readonly #buckets = new Map<string, Bucket>()
  readonly #received = countsOf(OUTCOMES)
  readonly #sent = countsOf(['messages', 'ops', 'bytes', 'left-to-sync'])
  readonly #misdeeds = countsOf(MISDEEDS)
  readonly #own: Bucket
  #queued = 0
  #isPublishing = false
  #stop = () => {}
  #stopped = false

  constructor(options: GossipOptions) {
    this.#options = options
    this.#codec = options.codec ?? zstdPackets
    this.#topic = opsTopic(options.replica.net)
    this.#own = new Bucket(options.environment.clock.monotonic())
  }

  start(): void {
    const { transport, replica } = this.#options
    transport.subscribe(this.#topic, (message, from) => this.#validate(message, from))
    this.#stop = replica.onAppended((appended) => this.#appended(appended))
  }

  /** Names and closed label sets, for the metrics page. */
  get counters(): Counters {
    return { gossip_received: this.#received, gossip_sent: this.#sent, gossip_misdeeds: this.#misdeeds }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    this.#stop()
  }

  #appended(appended: Appended): void {
    // Nobody to tell: whoever connects begins with a session.
    if (this.#options.transport.peers().length === 0) return
    let left = 0
    const now = this.#options.environment.clock.monotonic()
    for (const { frame, origin } of appended.frames) {
      if (origin !== undefined) continue
      const ids = frame.entries.map(({ op }) => op.id)
      // An import runs faster than gossip may: sessions carry it in larger packets.
      if (!this.#own.has(now) || this.#queued + frame.bytes.length > gossipQueueBytesMax) {
        left += ids.length
        continue
      }
      this.#own.spend(ids.length)
      this.#queue.push({ bytes: frame.bytes, ids })
      this.#queued += frame.bytes.length
    }
    if (left > 0) {
      this.#sent['left-to-sync'] += left
      this.#options.news()
    }
    if (!this.#isPublishing && this.#queue.length > 0) void this.#publish()
  }

  /** Sends what is queued, several frames in one message when they have queued up meanwhile. */
  async #publish(): Promise<void> {
    const { transport, log } = this.#options
    this.#isPublishing = true
    try {
      while (this.#queue.length > 0 && !this.#stopped) {
        const items = this.#take()
        const ids = items.flatMap((item) => item.ids)
        const message = items[0]!.bytes.length > FRAME_ROOM ? announcement(ids) : await this.#packet(items)
        this.#sent.messages++
        this.#sent.ops += ids.length
        this.#sent.bytes += message.length
        // A connection is younger than its part in the mesh: who is not there yet hears it by a session.
        if ((await transport.publish(this.#topic, message)) === 0) this.#options.news()
      }
    } catch (error) {
      // Whatever it was, sessions bring the ops.
      log?.('warn', "couldn't publish", { error: String(error) })
    } finally {
      this.#isPublishing = false
    }
  }

  /** The next message's frames: one that is too large for gossip alone, or as many as fit. */
  #take(): Item[] {
    const items: Item[] = []
    let bytes = 1
    while (this.#queue.length > 0) {
      const next = this.#queue[0]!
      if (items.length > 0 && bytes + 4 + next.bytes.length > gossipMessageBytesMax) break
      this.#queue.shift()
      this.#queued -= next.bytes.length
      items.push(next)
      bytes += 4 + next.bytes.length
    }
    return items
  }

  #packet(items: readonly Item[]): Promise<Uint8Array> {
    return pack(
      items.map(({ bytes }) => bytes),
      this.#codec,
    )
  }

  /** The verdict on a message of `from`, which may be its author or have passed it on. */
  async #validate(message: Uint8Array, from: string): Promise<Validity> {
    const { environment, behind, log } = this.#options
    const bucket = this.#bucket(from)
    if (!bucket.has(environment.clock.monotonic()) || bucket.validating >= gossipValidatingMax) {
      // Not lost: a session is bounded by its window, not by a rate.
      behind(from)
      return this.#count(bucket.validating >= gossipValidatingMax ? 'busy' : 'rate', 'ignore')
    }
    bucket.validating++
    try {
      const work = message[0] === IDS ? this.#ids(message, from) : this.#frames(message, from, bucket)
      // Also when the answer comes too late for the validator, the work is under way until it is done.
      work.finally(() => bucket.validating--).catch(() => {})
      const late = new Promise<undefined>((resolve) => {
        const cancel = environment.clock.after(gossipValidateMs, () => resolve(undefined))
        work.finally(cancel).catch(() => {})
      })
      const outcome = await Promise.race([work, late])
      if (outcome === undefined) return this.#count('late', 'ignore')
      if (outcome === 'accepted' || outcome === 'outside') return this.#count(outcome, 'accept')
      return this.#count(outcome, outcome === 'rejected' ? 'reject' : 'ignore')
    } catch (error) {
      log?.('error', "couldn't admit gossip", { error: String(error) })
      return this.#count('failed', 'ignore')
    }
  }

  async #frames(message: Uint8Array, from: string, bucket: Bucket): Promise<Outcome> {
    const { replica, fetch } = this.#options
    if (message.length > gossipMessageBytesMax + 1024) return this.#reject(from, 'too-large')
    const unpacked = await unpack(message, this.#codec)
    if (!unpacked.ok) return this.#reject(from, unpacked.reason)
    const admitted = await replica.admit(unpacked.frames, { via: 'gossip', peer: from })
    bucket.spend(admitted.results.length + admitted.refusedFrames.length)
    if (admitted.missing.length > 0) void fetch(from, admitted.missing.slice(0, gossipIdsMax))
    if (admitted.misbehaved) return this.#reject(from, 'bad-op')
    if (admitted.refusedFrames.length > 0) return 'refused'
    // Its ops are held, its signatures are anybody's: passed on, they would make a liar of us.
    if (!admitted.verified) return 'known'
    let outcome: Outcome = unpacked.frames.length > 0 ? 'accepted' : 'refused'
    for (const { verdict, reason } of admitted.results) {
      // Not for us, and good: others may want it.
      if (reason === 'outside') outcome = outcome === 'accepted' ? 'outside' : outcome
      else if (verdict === 'refused') return 'refused'
      else if (verdict === 'pending') outcome = 'pending'
    }
    return outcome
  }

  /** Accepted only once the ops are here: whoever gets it from us will ask us for them. */
  async #ids(message: Uint8Array, from: string): Promise<Outcome> {
    const { replica, fetch } = this.#options
    const ids = splitIds(message.subarray(1), gossipIdsMax)
    if (!ids?.length) return this.#reject(from, 'malformed')
    const lacking = await this.#lacking(replica, ids)
    if (lacking.length > 0) {
      this.#bucket(from).spend(lacking.length)
      await fetch(from, lacking, true)
      if ((await this.#lacking(replica, lacking)).length > 0) return 'pending'
    }
    // What we would not give is not announced further either.
    return (await replica.withholds(ids)).includes(true) ? 'refused' : 'accepted'
  }

  async #lacking(replica: ReplicaFace, ids: readonly OpId[]): Promise<OpId[]> {
    const held = await replica.knows(ids)
    return ids.filter((_, i) => !held[i])
  }

  #reject(from: string, misdeed: Misdeed): Outcome {
    this.#misdeeds[misdeed]++
    this.#options.transport.penalise(from, misdeed)
    return 'rejected'
  }

  #count(outcome: Outcome, validity: Validity): Validity {
    this.#received[outcome]++
    return validity
  }

  #bucket(peer: string): Bucket {
    let bucket = this.#buckets.get(peer)
    if (bucket) return bucket
    bucket = new Bucket(this.#options.environment.clock.monotonic())
    this.#buckets.set(peer, bucket)
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= gossipPeersMax) break
      this.#buckets.delete(oldest)
    }
    return bucket
  }
}

type Item = { readonly bytes: Uint8Array; readonly ids: readonly OpId[] }

/** A frame larger than this is announced by the ids of its ops. */
const FRAME_ROOM = gossipMessageBytesMax - 5

function announcement(ids: readonly OpId[]): Uint8Array {
  const message = new Uint8Array(1 + 32 * ids.length)
  message[0] = IDS
  message.set(joinIds(ids), 1)
  return message
}

/** gossipOpsPerSecondMax ops a second, gossipOpsBurst at once. A message is paid for when its ops are known. */
class Bucket {
  #tokens = gossipOpsBurst
  #at: number
  validating = 0

  constructor(now: number) {
    this.#at = now
  }

  has(now: number): boolean {
    this.#tokens = Math.min(gossipOpsBurst, this.#tokens + ((now - this.#at) * gossipOpsPerSecondMax) / 1_000)
    this.#at = now
    return this.#tokens > 0
  }

  spend(ops: number): void {
    this.#tokens -= ops
  }
}
