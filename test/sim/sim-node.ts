/**
 * A correct node of a simulation: the real replica, sync and gossip over a simulated disk, journal, clock and network.
 *
 * It can be killed at any moment, lose its power, be paused or stopped; what it was at is then never heard of again, for
 * nothing it waited for ever comes. Somebody looks after it: a process that ended is started again, and one that can no
 * longer write or never got ready is restarted.
 */
import { type NetworkId, networkId, ownerOfKey, toHex, utf8 } from '../../crdt/index.ts'
import { nameOf } from '../../node/disk-memory.ts'
import { Gossip } from '../../node/gossip.ts'
import { nativeSuite } from '../../node/native.ts'
import { plainPackets } from '../../node/packet.ts'
import { Replica } from '../../node/replica.ts'
import type { Admitted, Appended, Log, Signer, Source } from '../../node/replica-types.ts'
import { JOURNAL, metaKey, metaRow, noteKey, RESTORED, readMeta, sealed, unsealed, usageKey } from '../../node/rows.ts'
import { Sync } from '../../node/sync.ts'
import type { SessionResult } from '../../node/sync-session.ts'
import { Chance } from './chance.ts'
import { type DiskStyle, type Row, SimDisk } from './disk.ts'
import { type Line, SimJournal } from './journal.ts'
import type { SimNetwork, SimTransport } from './network.ts'
import type { RestoredAs } from './plan.ts'
import { ProcessClock, type Scheduler } from './scheduler.ts'
import type { Signatures } from './signatures.ts'

export const NET: NetworkId = networkId('test')
const { sha256 } = nativeSuite

export type SimNodeOptions = {
  readonly id: string
  readonly seed: number
  readonly scheduler: Scheduler
  readonly network: SimNetwork
  readonly signatures: Signatures
  readonly signer: Signer
  readonly disk: DiskStyle
  /** What it takes part in; left out, everything. */
  readonly sets?: readonly string[]
  readonly onAdmitted: (admitted: Admitted, source: Source) => void
  readonly onAppended: (appended: Appended) => void
  readonly onSession: (result: SessionResult) => void
  readonly log: Log
}

type Parts = {
  readonly replica: Replica
  readonly sync: Sync
  readonly gossip: Gossip
  readonly transport: SimTransport
}
export type Backup = { readonly rows: ReadonlyMap<string, Row>; readonly journal: readonly Line[] }
type Process = { pausedUntil: number; isDead: boolean; waiting: (() => void)[]; parts?: Parts }

/** Between the end of a process and its next start, when nobody has said otherwise. */
const RESTART_MS = 1_000
const NOTICED_MS = 3_000

export class SimNode {
  readonly id: string
  readonly disk: SimDisk
  readonly journal: SimJournal
  readonly signer: Signer
  readonly #options: SimNodeOptions
  readonly #chance: Chance
  #process: Process | undefined
  #starts = 0
  /** ms by which its date is wrong. */
  skewMs = 0
  /** Not to be started before. */
  #downUntil = 0
  /** Penalties given and peers refused, over all processes. */
  readonly misdeeds: { readonly peer: string; readonly reason: string }[] = []
  readonly refusals: string[] = []
  /** How many ops nodes had signed when it was set back with its journal: it cannot know of those between. */
  readonly forgotAt: number[] = []

  constructor(options: SimNodeOptions) {
    const { id, seed, scheduler, disk } = options
    this.id = id
    this.#options = options
    this.signer = options.signer
    this.disk = new SimDisk(scheduler, new Chance(seed, 'disk', id), disk)
    this.disk.onStuck = () => this.#restartSoon()
    this.journal = new SimJournal(new Chance(seed, 'journal', id))
    this.#chance = new Chance(seed, 'restore', id)
  }

  /** The running parts; undefined while the process is down or starting. */
  get parts(): Parts | undefined {
    return this.#process?.parts
  }

  get isUp(): boolean {
    return this.#process?.parts !== undefined
  }

  get starts(): number {
    return this.#starts
  }

  start(): void {
    const { scheduler, network, id } = this.#options
    if (this.#process !== undefined || scheduler.now < this.#downUntil) return
    const process: Process = { pausedUntil: 0, isDead: false, waiting: [] }
    this.#process = process
    this.#starts++
    const run = (call: () => void) => this.#run(process, call)
    const clock = new ProcessClock(scheduler, run, () => this.skewMs)
    const transport = network.attach(id, clock, run)
    this.#open(process, clock, transport).catch(() => this.#failedToStart(process))
  }

  /** Starts it, however long it was to be down; restarts it when it can write no more. */
  startNow(): void {
    this.#downUntil = 0
    if (this.disk.isStuck) this.crash('kill', 0)
    this.start()
  }

  /** Ends the process now. `silently`: its peers are not told by its machine. */
  crash(how: 'kill' | 'power', downMs = RESTART_MS, silently = how === 'power'): void {
    this.#end(silently)
    this.disk.crash(how)
    this.journal.crash(how)
    this.#startLater(downMs)
  }

  /** Stops it as an operator would; it is killed when that takes too long. */
  async stop(downMs = RESTART_MS): Promise<void> {
    const process = this.#process
    const parts = process?.parts
    if (process === undefined || parts === undefined) return
    const cancel = this.#options.scheduler.after(10_000, () => {
      if (this.#process === process) this.crash('kill', downMs)
    })
    try {
      await parts.gossip[Symbol.asyncDispose]()
      await parts.sync[Symbol.asyncDispose]()
      await parts.replica[Symbol.asyncDispose]()
    } catch {
      // A store that cannot be written ends without its mark.
    }
    if (this.#process !== process) return
    cancel()
    this.crash('kill', downMs)
  }

  pause(ms: number): void {
    const process = this.#process
    const { scheduler } = this.#options
    if (process === undefined || process.pausedUntil > scheduler.now) return
    process.pausedUntil = scheduler.now + ms
    scheduler.at(process.pausedUntil, () => {
      for (const call of process.waiting.splice(0)) if (!process.isDead) call()
    })
  }

  backup(): Backup {
    return { rows: this.disk.backup(), journal: this.journal.backup() }
  }

  /** The store as it was then, and the key as it is; the journal shows what that has signed since, where it stays. */
  restore({ rows, journal }: Backup, as: RestoredAs): void {
    this.crash('kill')
    this.disk.restore(as === 'copied' || as === 'bare' ? rows : this.#begun(rows, as === 'all'))
    if (as === 'all') this.journal.restore(journal)
    if (as === 'bare') this.journal.restore([])
  }

  /** Whether the key had signed anything by then: else a store without its journal is like a new one. */
  hasSigned({ rows }: Backup): boolean {
    return rows.has(nameOf(usageKey(ownerOfKey(this.#options.signer.key))))
  }

  /** With a log of its own, for it goes on otherwise than the one that peers have read; and whether it waits for them. */
  #begun(rows: Backup['rows'], waits: boolean): Backup['rows'] {
    const begun = new Map(rows)
    const put = (key: Uint8Array, value: Uint8Array) => begun.set(nameOf(key), { key, value: sealed(value, sha256) })
    const meta = readMeta(unsealed(rows.get(nameOf(metaKey))!.value, sha256)!)!
    put(metaKey, metaRow({ ...meta, epoch: toHex(this.#chance.bytes(16)) }))
    if (waits) put(noteKey(RESTORED), utf8('1'))
    else begun.delete(nameOf(noteKey(RESTORED)))
    begun.delete(nameOf(noteKey(JOURNAL)))
    return begun
  }

  #run(process: Process, call: () => void): void {
    if (process.isDead) return
    if (process.pausedUntil > this.#options.scheduler.now) process.waiting.push(call)
    else call()
  }

  async #open(process: Process, clock: ProcessClock, transport: SimTransport): Promise<void> {
    const { id, seed, signatures, signer, sets, log, onAdmitted, onAppended, onSession } = this.#options
    const environment = { clock, random: new Chance(seed, 'node', id, this.#starts) }
    const replica = await Replica.open({
      disk: this.disk.attach(clock),
      journal: this.journal.attach(clock),
      environment,
      suite: nativeSuite,
      checker: signatures,
      net: NET,
      signer,
      ...(sets && { sets }),
      log,
      onAdmitted,
    })
    replica.onAppended(onAppended)
    const common = { replica, transport, environment, codec: plainPackets, log }
    const sync = new Sync({
      ...common,
      onSession: (session) => {
        if (session.rootEqual) replica.metPeer()
        onSession(session)
      },
    })
    const gossip = new Gossip({
      ...common,
      fetch: (peer, ids) => sync.fetch(peer, ids),
      behind: (peer) => sync.soon(peer),
      news: () => sync.news(),
    })
    // As node.ts starts them.
    await sync.start()
    gossip.start()
    if (process.isDead) return
    process.parts = { replica, sync, gossip, transport }
    replica.ready.catch(() => this.#failedToStart(process))
  }

  #failedToStart(process: Process): void {
    if (this.#process === process) this.crash('kill')
  }

  /** Whoever runs it sees that it can write no more. */
  #restartSoon(): void {
    const process = this.#process
    this.#options.scheduler.after(NOTICED_MS, () => {
      if (this.#process === process && process !== undefined) void this.stop()
    })
  }

  #end(silently: boolean): void {
    const process = this.#process
    if (process === undefined) return
    const transport = process.parts?.transport
    if (transport) {
      this.misdeeds.push(...transport.misdeeds)
      this.refusals.push(...transport.refusals)
    }
    process.isDead = true
    this.#process = undefined
    this.#options.network.detach(this.id, silently)
  }

  #startLater(ms: number): void {
    const { scheduler } = this.#options
    this.#downUntil = Math.max(this.#downUntil, scheduler.now + ms)
    scheduler.at(this.#downUntil, () => this.start())
  }
}
