/**
 * Whom to dial, and when: the --join list always, other known peers while we have few. Addresses that worked are kept
 * over restarts, and two of the peers known longest, the anchors, are tried first at every start: whoever poisons a
 * bootstrap list or a router does not thereby own all our connections.
 *
 * No socket here and no timer: `due` says what to dial now, `dialled` and `lost` what came of it.
 */
import { decode, encode, type Value } from '../crdt/index.ts'
import type { Environment } from './environment.ts'
import { anchorPeers, dialBackoffMs, dialBackoffMsMax, peerAddressesMax, peersOnDiskMax } from './limits.ts'

/** A peer by id, or a place whose peer is not known yet. */
export type Candidate = { readonly key: string; readonly peer?: string; readonly addresses: readonly string[] }

type Known = {
  peer?: string
  addresses: string[]
  /** Given by the operator: dialled for ever. */
  join: boolean
  anchor: boolean
  /** ms since 1970. */
  firstSeen: number
  lastSeen: number
  failures: number
  /** By the monotonic clock. */
  notBefore: number
}

export class KnownPeers {
  readonly #environment: Environment
  readonly #known = new Map<string, Known>()
  #changed = false

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** The operator's list; `peer` when the address names one. */
  join(address: string, peer?: string): void {
    this.#known.set(address, { ...this.#fresh(), addresses: [address], join: true, ...(peer ? { peer } : {}) })
  }

  /** A peer heard of from others: only a hint, dropped first when there are too many. */
  hint(peer: string, addresses: readonly string[]): void {
    const known = this.#known.get(peer) ?? this.#fresh()
    known.peer = peer
    known.addresses = [...new Set([...addresses, ...known.addresses])].slice(0, peerAddressesMax)
    if (known.addresses.length === 0) return
    this.#known.set(peer, known)
    if (this.#known.size > 2 * peersOnDiskMax) this.#forget()
  }

  /** Connected with a peer; `addresses` are where it can be dialled again, as far as known. */
  met(peer: string, addresses: readonly string[]): void {
    if (addresses.length > 0) this.hint(peer, addresses)
    const known = this.#known.get(peer)
    if (!known) return
    known.lastSeen = this.#environment.clock.now()
    if (known.firstSeen === 0) known.firstSeen = known.lastSeen
    known.failures = 0
    this.#changed = true
  }

  /** What to dial now, in order: joins, anchors, then others by chance when `wanted` of them are. */
  due(isConnected: (peer: string) => boolean, wanted: number): Candidate[] {
    const now = this.#environment.clock.monotonic()
    const ready = [...this.#known].filter(([, { peer, notBefore }]) => notBefore <= now && !(peer && isConnected(peer)))
    const joins = ready.filter(([, known]) => known.join)
    const others = ready
      .filter(([, known]) => !known.join)
      .map((entry) => ({
        entry,
        order: (entry[1].anchor ? 0 : 1) + this.#environment.random.float() / 2 + entry[1].failures,
      }))
      .sort((a, b) => a.order - b.order)
      .slice(0, Math.max(0, wanted))
      .map(({ entry }) => entry)
    return [...joins, ...others].map(([key, { peer, addresses }]) => ({ key, addresses, ...(peer ? { peer } : {}) }))
  }

  /** What came of dialling: the peer that answered, or undefined. */
  dialled(key: string, peer: string | undefined): void {
    const { clock, random } = this.#environment
    const known = this.#known.get(key)
    if (!known) return
    if (peer !== undefined) {
      known.peer = peer
      known.failures = 0
      known.notBefore = clock.monotonic() + dialBackoffMs
      return
    }
    const wait = Math.min(dialBackoffMsMax * (known.join ? 1 : 10), dialBackoffMs * 2 ** known.failures++)
    known.notBefore = clock.monotonic() + wait * (0.75 + random.float() / 2)
    if (!known.join && known.firstSeen === 0 && known.failures > 3) this.#known.delete(key)
  }

  /** Reads what `rows` wrote; anything else is no knowledge. The two seen first and still seen last time are anchors. */
  restore(bytes: Uint8Array): void {
    const read = decode(bytes)
    if (!read.ok || !Array.isArray(read.value)) return
    const rows: { peer: string; addresses: string[]; firstSeen: number; lastSeen: number }[] = []
    for (const row of (read.value as Value[]).slice(0, peersOnDiskMax)) {
      if (!Array.isArray(row)) continue
      const [peer, addresses, firstSeen, lastSeen] = row as Value[]
      if (typeof peer !== 'string' || !Array.isArray(addresses) || typeof firstSeen !== 'number') continue
      if (typeof lastSeen !== 'number') continue
      const texts = addresses.filter((address) => typeof address === 'string')
      rows.push({ peer, addresses: texts.slice(0, peerAddressesMax), firstSeen, lastSeen })
    }
    const latest = Math.max(0, ...rows.map(({ lastSeen }) => lastSeen))
    const dayMs = 86_400_000
    const anchors = rows
      .filter(({ lastSeen }) => lastSeen > latest - dayMs)
      .sort((a, b) => a.firstSeen - b.firstSeen)
      .slice(0, anchorPeers)
    for (const row of rows) this.#known.set(row.peer, { ...this.#fresh(), ...row, anchor: anchors.includes(row) })
  }

  /** What to keep, if anything has changed since it was last asked for: peers that were reached, the latest first. */
  rows(): Uint8Array | undefined {
    if (!this.#changed) return undefined
    this.#changed = false
    const rows = [...this.#known.values()]
      .filter(({ join, lastSeen, peer }) => !join && lastSeen > 0 && peer !== undefined)
      .sort((a, b) => b.lastSeen - a.lastSeen)
      .slice(0, peersOnDiskMax)
    return encode(
      rows.map(({ peer, addresses, firstSeen, lastSeen }) => [peer as string, addresses, firstSeen, lastSeen]),
    )
  }

  #fresh(): Known {
    return { addresses: [], join: false, anchor: false, firstSeen: 0, lastSeen: 0, failures: 0, notBefore: 0 }
  }

  /** Drops hints that were never reached before peers that were, the longest known of each first. */
  #forget(): void {
    const spare = [...this.#known].filter(([, known]) => !known.join)
    const worst = spare.find(([, known]) => known.lastSeen === 0) ?? spare[0]
    if (worst) this.#known.delete(worst[0])
  }
}
