/**
 * One run of a plan: a world is made, the events of the plan happen in it, everything heals, and the goals are checked.
 *
 * One run is decided by its plan alone. The trace is a digest over all that happened: every message, every op that
 * was stored, every answer that a writer got; two runs of one plan have the same.
 */
import { createHash } from 'node:crypto'
import type { OpId } from '../../crdt/index.ts'
import { parkedCheckMs } from '../../node/limits.ts'
import { nativeSuite } from '../../node/native.ts'
import type { Admitted, Appended, Codec, Signer, Source } from '../../node/replica-types.ts'
import { opKey } from '../../node/rows.ts'
import { ownerSet } from '../../node/sets.ts'
import { readFrame } from '../../node/store-frames.ts'
import type { SessionResult } from '../../node/sync-session.ts'
import { BEHAVIOURS } from './byzantine/index.ts'
import { Liar } from './byzantine/liar.ts'
import { Chance } from './chance.ts'
import { checkBounds, checkWorld, type Violation } from './check.ts'
import { NO_FAULTS } from './disk.ts'
import { Library, ownerOf } from './library.ts'
import { SimNetwork } from './network.ts'
import { People } from './people.ts'
import type { Action, Plan, RestoredAs } from './plan.ts'
import { Scheduler } from './scheduler.ts'
import { Signatures } from './signatures.ts'
import { type Backup, NET, SimNode } from './sim-node.ts'
import type { RunOptions } from './simulate.ts'

export type Outcome = {
  readonly seed: number
  /** SHA-256 over all that happened, in hex. */
  readonly trace: string
  readonly violations: readonly Violation[]
  readonly events: number
  readonly simulatedMs: number
  readonly nodes: number
  readonly liars: number
  readonly ops: number
  readonly acknowledged: number
  /** From the end of the last trouble to the same set everywhere; missing when it never came to that. */
  readonly convergedMs?: number
}

/** A failed session is tried again after ten minutes at most, and a refused peer is let in again after as long. */
const CONVERGE_MS = 30 * 60_000
/** How often the world is looked at. */
const LOOK_MS = 1_000
/** Until what is under way has come. */
const QUIET_MS = 5_000
const LINES_LENGTH = 1 << 16
const asIs: Codec = { compress: (bytes) => bytes, decompress: (bytes) => bytes }

export class World {
  readonly plan: Plan
  readonly scheduler = new Scheduler()
  readonly signatures: Signatures
  readonly network: SimNetwork
  readonly library = new Library()
  readonly nodes = new Map<string, SimNode>()
  readonly liars = new Map<string, Liar>()
  /** Ops that a writer was told are kept, and by which node. */
  readonly acknowledged = new Map<OpId, string>()
  /** Ops that nodes signed with their own keys, in this order. */
  readonly signed = new Map<OpId, number>()
  readonly people: People
  readonly violations: Violation[] = []
  readonly #onNote: RunOptions['onNote']
  readonly #trace = createHash('sha256')
  /** Of the trace, not digested yet. */
  #lines = ''
  #healedAt = 0
  readonly #backups = new Map<string, Backup>()
  /** Nodes that have forgotten what they signed, and have met no peer since. */
  readonly #unmet = new Set<string>()

  constructor(plan: Plan, options: RunOptions = {}) {
    this.plan = plan
    this.#onNote = options.onNote
    this.signatures = new Signatures(plan.real)
    this.people = new People(this)
    this.network = new SimNetwork(this.scheduler, plan.seed, plan.network)
    this.network.tap = (from, to, how, bytes) =>
      this.#note(how, from, to, bytes.length, bytes[0] ?? 0, bytes.at(-1) ?? 0)
    for (const [i, id] of plan.nodes.entries()) this.nodes.set(id, this.#node(id, i))
    for (const [i, { id, manner }] of plan.liars.entries()) {
      this.liars.set(
        id,
        new Liar({ id, seed: plan.seed, world: this, signer: this.signatures.signer(1_000 + i), manner }),
      )
    }
  }

  async run(): Promise<Outcome> {
    const failed = (error: unknown) =>
      this.violate('S4', `an error that nobody handled: ${error instanceof Error ? error.stack : String(error)}`)
    process.on('unhandledRejection', failed)
    process.on('uncaughtException', failed)
    try {
      return await this.#run()
    } finally {
      process.off('unhandledRejection', failed)
      process.off('uncaughtException', failed)
    }
  }

  violate(goal: Violation['goal'], what: string): void {
    if (this.violations.length < 20) this.violations.push({ goal, what, at: this.scheduler.now })
  }

  async #run(): Promise<Outcome> {
    const { plan, scheduler, network } = this
    for (const node of this.nodes.values()) node.start()
    for (const liar of this.liars.values()) liar.start()
    for (const [a, b] of plan.pairs) network.want(a, b)
    for (const action of plan.actions) scheduler.at(action.at, () => this.#do(action))
    for (let at = 5_000; at < plan.healMs; at += 5_000) scheduler.at(at, () => checkBounds(this))
    await scheduler.runUntil(plan.healMs)
    this.#heal()
    const healed = scheduler.now
    this.#healedAt = healed
    let convergedMs: number | undefined
    while (scheduler.now < healed + CONVERGE_MS) {
      await scheduler.runUntil(scheduler.now + LOOK_MS)
      if (!(await this.#agree(scheduler.now - healed))) continue
      convergedMs = scheduler.now - healed
      break
    }
    checkBounds(this)
    if (convergedMs === undefined) this.violate('L1', `no agreement ${CONVERGE_MS / 60_000} minutes after all was well`)
    // Liars have no end, and what is looked at must stay as it is meanwhile.
    for (const id of this.liars.keys()) network.detach(id, false)
    await scheduler.runUntil(scheduler.now + QUIET_MS)
    await this.#check()
    return {
      seed: plan.seed,
      trace: this.#trace.update(this.#lines).digest('hex'),
      violations: this.violations,
      events: scheduler.events,
      simulatedMs: scheduler.now,
      nodes: this.nodes.size,
      liars: this.liars.size,
      ops: this.library.ops.size,
      acknowledged: this.acknowledged.size,
      ...(convergedMs === undefined ? {} : { convergedMs }),
    }
  }

  /** Checks go through the nodes' own reads, which take simulated time. */
  async #check(): Promise<void> {
    let isOver = false
    const checking = checkWorld(this, (...facts) => this.#note('state', ...facts))
      .catch((error) =>
        this.violate('S4', `a check could not be made: ${error instanceof Error ? error.stack : String(error)}`),
      )
      .finally(() => {
        isOver = true
      })
    await this.scheduler.runUntil(this.scheduler.now + 60_000, () => isOver)
    if (!isOver) this.violate('S4', 'reads that never come back')
    else await checking
  }

  #node(id: string, i: number): SimNode {
    const { plan, scheduler, network, signatures } = this
    const node: SimNode = new SimNode({
      id,
      seed: plan.seed,
      scheduler,
      network,
      signatures,
      signer: signatures.signer(i),
      disk: plan.disk,
      ...(plan.sets?.[id] && { sets: this.#setsOf(id, signatures.signer(i)) }),
      onAdmitted: (admitted, source) => this.#admitted(id, admitted, source),
      onAppended: (appended) => this.#appended(id, appended),
      onSession: (session) => this.#session(id, session),
      log: (level, message, facts) => {
        if (level !== 'error') return
        this.#note('error', id, message, JSON.stringify(facts ?? {}))
        const error = facts?.['error']
        // The world may fail; anything else is a bug that was caught on its way up.
        if (typeof error === 'string' && !error.startsWith('NodeError'))
          this.violate('S4', `${id} ${message}: ${error}`)
      },
    })
    return node
  }

  /** Its own records are always among them, as node.ts has it. */
  #setsOf(id: string, own: Signer): readonly string[] {
    const named = this.plan.sets![id]!.map((name) => {
      const node = this.plan.nodes.indexOf(name.replace('owner:', ''))
      return node < 0 ? name : ownerSet(ownerOf(this.signatures.signer(node)))
    })
    return [...named, ownerSet(ownerOf(own))]
  }

  /** Begins what the event says; what it leads to is not waited for. */
  #do(action: Action): unknown {
    this.#note(action.do, action.at)
    switch (action.do) {
      case 'write':
      case 'submit':
      case 'deliver':
      case 'speak':
      case 'authorise':
      case 'carry':
        return void this.people.do(action)
      case 'crash':
        return this.nodes.get(action.node)!.crash(action.how, action.downMs)
      case 'stop':
        return void this.nodes.get(action.node)!.stop(action.downMs)
      case 'pause':
        return this.nodes.get(action.node)!.pause(action.ms)
      case 'jump':
        this.nodes.get(action.node)!.skewMs += action.ms
        return
      case 'cut':
        for (const [from, to] of action.pairs) {
          const link = this.network.link(from, to)
          link.cut()
          this.scheduler.at(Math.min(action.at + action.ms, this.plan.healMs), () => link.mend())
        }
        return
      case 'reset':
        return this.network.cut(action.a, action.b)
      case 'faults': {
        const node = this.nodes.get(action.node)!
        node.disk.faults = action
        node.journal.faults = action
        this.scheduler.after(action.ms, () => {
          node.disk.faults = NO_FAULTS
          node.journal.faults = NO_FAULTS
        })
        return
      }
      case 'flip':
        return this.#flip(this.nodes.get(action.node)!, action.rows)
      case 'backup':
        this.#backups.set(action.node, this.nodes.get(action.node)!.backup())
        return
      case 'restore':
        return this.#restore(action.node, action.as ?? 'copied')
      case 'lie': {
        const behaviour = BEHAVIOURS.find(({ name }) => name === action.what)!
        return this.liars.get(action.liar)!.lie(behaviour, new Chance(this.plan.seed, 'lie', action.r))
      }
    }
  }

  /** Nothing goes wrong any more, but that liars still answer as they do. */
  #heal(): void {
    const { network, plan } = this
    network.style = { latencyMs: plan.network.latencyMs, loss: 0, replay: 0 }
    for (const node of this.nodes.values()) {
      node.disk.faults = NO_FAULTS
      node.journal.faults = NO_FAULTS
      node.skewMs = 0
      node.startNow()
    }
  }

  /** What nobody else was told of is gone with the store that was set back; that no node can help. */
  #restore(id: string, wanted: RestoredAs): void {
    const node = this.nodes.get(id)!
    const backup = this.#backups.get(id)
    // Before its first start there was nothing to copy.
    if (backup === undefined || backup.rows.size === 0) return
    for (const [op, by] of this.acknowledged) if (by === id) this.acknowledged.delete(op)
    const as = wanted === 'bare' && !node.hasSigned(backup) ? 'copied' : wanted
    node.restore(backup, as)
    if (as !== 'all' && as !== 'bare') return
    node.forgotAt.push(this.signed.size)
    this.#unmet.add(id)
  }

  /** What no other disk holds would be gone for good; that no node can help. */
  #flip(node: SimNode, rows: 'f' | 'r'): void {
    const others = [...this.nodes.values()].filter((other) => other !== node && this.isWhole(other.id))
    const isElsewhere = (row: Uint8Array) => {
      const frame = readFrame(row, { net: NET, sha256: nativeSuite.sha256, codec: asIs })?.frame
      return (
        others.length > 0 &&
        frame?.entries.every(({ op }) => others.every(({ disk }) => disk.get(opKey(op.id)) !== undefined)) === true
      )
    }
    this.#note('flip', node.id, String(node.disk.flip(rows, rows === 'f' ? isElsewhere : undefined)))
  }

  /**
   * Every correct node is up and knows the same ops, and holds as many: ops that were put off because a clock was behind
   * are looked at again after a minute, and those from the future are not to be waited for. Those that take part in some
   * sets only know what the others know of these.
   */
  async #agree(sinceMs: number): Promise<boolean> {
    const rotten = new Set(this.plan.actions.flatMap((action) => (action.do === 'flip' ? [action.node] : [])))
    const roots = new Set<string>()
    const held = new Set<number>()
    let isWaiting = false
    for (const { id, parts } of this.nodes.values()) {
      const replica = parts?.replica
      if (replica === undefined || replica.health().set === 'loading' || replica.rejudging() > 0) return false
      if (replica.health().restored || replica.damaged(1).length > 0) return false
      // Nobody may have looked at a damaged row yet, but the sweep of the node itself.
      if (rotten.has(id) && (replica.health().sweptAt ?? 0) < this.#healedAt) return false
      if (!this.isWhole(id)) {
        isWaiting ||= replica.pending().ops > 0
        continue
      }
      roots.add(replica.root())
      held.add(replica.counts().ops)
    }
    const isSettled = sinceMs > parkedCheckMs + 2 * LOOK_MS
    const isSame = roots.size === 1 && (isSettled || (held.size === 1 && !isWaiting))
    return isSame && (await this.#partsAgree())
  }

  async #partsAgree(): Promise<boolean> {
    const whole = this.nodes.get(this.plan.nodes.find((id) => this.isWhole(id))!)!.parts!.replica
    for (const { id, parts } of this.nodes.values()) {
      if (this.isWhole(id)) continue
      for (const name of parts!.replica.sets) {
        const both = Promise.all([parts!.replica, whole].map((replica) => replica.reconciled(name)))
        // A disk may be slow, and a set that is being sorted is asked for again.
        const [mine, theirs] = (await this.#inTime(both)) ?? []
        if (mine === undefined || mine.root() !== theirs?.root()) return false
      }
    }
    return true
  }

  /** What reads come to, which take simulated time; undefined when they fail, or never come back. */
  async #inTime<T>(reads: Promise<T>): Promise<T | undefined> {
    let isOver = false
    const read = reads
      .catch(() => undefined)
      .finally(() => {
        isOver = true
      })
    await this.scheduler.runUntil(this.scheduler.now + 60_000, () => isOver)
    return isOver ? read : undefined
  }

  /** It takes part in everything. */
  isWhole(id: string): boolean {
    return this.plan.sets?.[id] === undefined
  }

  acknowledge(id: string, op: OpId): void {
    this.#note('ack', id, op)
    this.acknowledged.set(op, id)
  }

  /** A failed disk, a closed replica, a journal that stops a write: what callers must expect. Anything else is a bug. */
  expected(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    this.#note('failed', String(code))
    if (typeof code === 'string' && ['store-failed', 'closed', 'key-journal', 'busy', 'store-corrupt'].includes(code))
      return
    this.violate('S4', `a write failed with ${error instanceof Error ? error.stack : String(error)}`)
  }

  #admitted(id: string, admitted: Admitted, source: Source): void {
    for (const { op, verdict, reason } of admitted.results) {
      this.#note(verdict, id, op)
      // Not what it takes part in: that is its own affair.
      if (reason === 'outside' && this.plan.sets?.[id] !== undefined) continue
      if (verdict === 'refused' && this.library.ops.has(op)) {
        this.violate(
          'L2',
          `${id} refused an honest op (${reason}) by ${source.via} from ${source.peer ?? 'its author'}`,
        )
      }
    }
  }

  #appended(id: string, { first, last, local, frames }: Appended): void {
    this.#note('append', id, first, last)
    if (!local) return
    if (this.#unmet.has(id))
      this.violate('S6', `${id} signs before it has met a peer, and was restored with all it knew`)
    for (const { frame } of frames) {
      for (const { op } of frame.entries) {
        this.library.add(op, frame.bytes)
        this.signed.set(op.id, this.signed.size)
      }
    }
  }

  #session(id: string, { peer, end, opsIn, opsOut, rootEqual, why, set }: SessionResult): void {
    // Only the disk may fail; what else ends a session has a name of its own.
    if (end === 'failed' && !why?.includes('store'))
      this.violate('S4', `a session of ${id} with ${peer} failed: ${why}`)
    if (rootEqual) this.#unmet.delete(id)
    this.#note('session', id, peer, end, opsIn, opsOut, String(rootEqual), why ?? '', set)
  }

  #note(...facts: readonly (string | number)[]): void {
    const line = `${this.scheduler.now} ${facts.join(' ')}\n`
    this.#onNote?.(line)
    this.#lines += line
    if (this.#lines.length < LINES_LENGTH) return
    this.#trace.update(this.#lines)
    this.#lines = ''
  }
}
