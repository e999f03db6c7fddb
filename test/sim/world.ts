/**
 * One run of a plan: a world is made, the events of the plan happen in it, everything heals, and the goals are checked.
 *
 * One run is decided by its plan alone. The trace is a digest over all that happened: every message, every op that
 * was stored, every answer that a writer got; two runs of one plan have the same.
 */
import { createHash } from 'node:crypto'
import { type OpId, PARENTS_MAX } from '../../crdt/index.ts'
import { parkedCheckMs } from '../../node/limits.ts'
import type { Admitted, Appended, LocalWrite, Source } from '../../node/replica-types.ts'
import type { SessionResult } from '../../node/sync-session.ts'
import { BEHAVIOURS } from './byzantine/index.ts'
import { Liar } from './byzantine/liar.ts'
import { Chance } from './chance.ts'
import { checkBounds, checkWorld, type Violation } from './check.ts'
import { NO_FAULTS } from './disk.ts'
import { frameOf, type History, historyOf } from './histories.ts'
import { draft, KIND, Library, ownerOf, recordOf, sealed } from './library.ts'
import { SimNetwork } from './network.ts'
import type { Action, Plan } from './plan.ts'
import { Scheduler } from './scheduler.ts'
import { Signatures } from './signatures.ts'
import { SimNode } from './sim-node.ts'
import type { RunOptions } from './simulate.ts'
import { saySomething } from './writes.ts'

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
const SLUGS = ['one', 'two', 'three'] as const

export class World {
  readonly plan: Plan
  readonly scheduler = new Scheduler()
  readonly signatures: Signatures
  readonly network: SimNetwork
  readonly library = new Library()
  readonly nodes = new Map<string, SimNode>()
  readonly liars = new Map<string, Liar>()
  /** Of which at least one op was sent. */
  readonly histories = new Set<History>()
  /** Ops that a writer was told are kept, and by which node. */
  readonly acknowledged = new Map<OpId, string>()
  readonly violations: Violation[] = []
  readonly #onNote: RunOptions['onNote']
  readonly #trace = createHash('sha256')
  readonly #backups = new Map<string, ReturnType<SimNode['disk']['backup']>>()

  constructor(plan: Plan, options: RunOptions = {}) {
    this.plan = plan
    this.#onNote = options.onNote
    this.signatures = new Signatures(plan.real)
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

  /** The key of a writer who sends ops from outside. */
  publisher(number: number) {
    return this.signatures.signer(500 + number)
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
    let convergedMs: number | undefined
    while (scheduler.now < healed + CONVERGE_MS) {
      await scheduler.runUntil(scheduler.now + LOOK_MS)
      if (!this.#agree(scheduler.now - healed)) continue
      convergedMs = scheduler.now - healed
      break
    }
    checkBounds(this)
    if (convergedMs === undefined) this.violate('L1', `no agreement ${CONVERGE_MS / 60_000} minutes after all was well`)
    await this.#check()
    return {
      seed: plan.seed,
      trace: this.#trace.digest('hex'),
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

  /** Begins what the event says; what it leads to is not waited for. */
  #do(action: Action): unknown {
    this.#note(action.do, action.at)
    switch (action.do) {
      case 'write':
        return void this.#write(action.node, new Chance(this.plan.seed, 'write', action.r))
      case 'submit':
        return void this.#submit(action.node, action.publisher, new Chance(this.plan.seed, 'submit', action.r))
      case 'deliver':
        return void this.#deliver(action.node, historyOf(action.history), action.op)
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
        this.nodes.get(action.node)!.disk.flip(action.rows)
        return
      case 'backup':
        this.#backups.set(action.node, this.nodes.get(action.node)!.disk.backup())
        return
      case 'restore':
        return this.#restore(action.node)
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
  #restore(id: string): void {
    const node = this.nodes.get(id)!
    const rows = this.#backups.get(id)
    if (rows === undefined) return
    for (const [op, by] of this.acknowledged) if (by === id) this.acknowledged.delete(op)
    node.restore(rows)
  }

  /**
   * Every correct node is up and knows the same ops, and holds as many: ops that were put off because a clock was behind
   * are looked at again after a minute, and those from the future are not to be waited for.
   */
  #agree(sinceMs: number): boolean {
    const roots = new Set<string>()
    const held = new Set<number>()
    for (const node of this.nodes.values()) {
      const replica = node.parts?.replica
      if (replica === undefined || replica.health().set === 'loading' || replica.rejudging() > 0) return false
      roots.add(replica.root())
      held.add(replica.counts().ops)
    }
    return roots.size === 1 && (held.size === 1 || sinceMs > parkedCheckMs + 2 * LOOK_MS)
  }

  async #write(id: string, chance: Chance): Promise<void> {
    const node = this.nodes.get(id)!
    const replica = node.parts?.replica
    if (replica === undefined) return
    const writes = Array.from({ length: chance.int(1, 3) }, (): LocalWrite => {
      const slug = chance.pick(SLUGS)
      return {
        record: recordOf(node.signer, slug),
        kind: KIND,
        slug,
        decide: (before) => saySomething(chance, before, slug),
      }
    })
    try {
      for (const outcome of await replica.write(writes)) {
        if (outcome.outcome === 'written') this.#acknowledge(id, outcome.op)
      }
    } catch (error) {
      this.#expected(error)
    }
  }

  /** A publisher with a key of its own signs on top of what it sees at this node, or saw elsewhere before. */
  async #submit(id: string, number: number, chance: Chance): Promise<void> {
    const node = this.nodes.get(id)!
    const replica = node.parts?.replica
    if (replica === undefined) return
    const signer = this.publisher(number)
    const slug = chance.pick(SLUGS)
    const record = recordOf(signer, slug)
    try {
      const before = await replica.record(record)
      const w = replica === node.parts?.replica ? this.#dateOf(node, chance) : 0
      const seen = this.library.byRecord.get(record)
      const said = saySomething(chance, before, slug)
      let parents = before?.heads.slice(0, PARENTS_MAX) ?? []
      // On an older state, or on one that this node has not heard of.
      if (said.do !== 'genesis' && seen !== undefined && chance.yes(0.35)) {
        parents = [...new Set([chance.pick(seen).id, ...(chance.yes(0.3) ? [chance.pick(seen).id] : [])])]
      }
      const op =
        said.do === 'genesis'
          ? draft(signer, { type: 'genesis', owner: ownerOf(signer), kind: KIND, slug, w, body: said.body })
          : draft(signer, { type: said.do, record, parents, w, body: said.body })
      const [frame] = sealed(signer, [op])
      this.library.add(op, frame!)
      const admitted = await replica.admit([frame!], { via: 'http' }, { sync: true })
      for (const { op, verdict } of admitted.results) {
        if (verdict === 'applied' || verdict === 'duplicate') this.#acknowledge(id, op)
      }
    } catch (error) {
      this.#expected(error)
    }
  }

  /** An op that somebody signed elsewhere and sends to this node; it may come before what it builds on. */
  async #deliver(id: string, history: History, at: number): Promise<void> {
    const replica = this.nodes.get(id)!.parts?.replica
    const op = history.ops[at]!
    if (replica === undefined) return
    const frame = frameOf(op)
    this.histories.add(history)
    if (history.valid.has(op.id)) this.library.add(op, frame)
    try {
      const admitted = await replica.admit([frame], { via: 'http' }, { sync: true })
      for (const { op, verdict } of admitted.results) {
        if (verdict !== 'applied' && verdict !== 'duplicate') continue
        this.#acknowledge(id, op)
        if (!history.valid.has(op)) this.violate('S3', `${id} took op ${op}, which no rule allows`)
      }
    } catch (error) {
      this.#expected(error)
    }
  }

  /** Mostly the node's date; some writers' clocks are off, by minutes or by years. */
  #dateOf(node: SimNode, chance: Chance): number {
    const now = node.parts!.transport.clock.now()
    if (chance.yes(0.9)) return Math.max(0, now)
    return Math.max(0, now + chance.int(-3_000_000_000, 400_000))
  }

  #acknowledge(id: string, op: OpId): void {
    this.#note('ack', id, op)
    this.acknowledged.set(op, id)
  }

  /** A failed disk, a closed replica, a journal that stops a write: what callers must expect. Anything else is a bug. */
  #expected(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    this.#note('failed', String(code))
    if (typeof code === 'string' && ['store-failed', 'closed', 'key-journal', 'busy', 'store-corrupt'].includes(code))
      return
    this.violate('S4', `a write failed with ${error instanceof Error ? error.stack : String(error)}`)
  }

  #admitted(id: string, admitted: Admitted, source: Source): void {
    for (const { op, verdict, reason } of admitted.results) {
      this.#note(verdict, id, op)
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
    for (const { frame } of frames) for (const { op } of frame.entries) this.library.add(op, frame.bytes)
  }

  #session(id: string, { peer, end, opsIn, opsOut, rootEqual, why }: SessionResult): void {
    // Only the disk may fail; what else ends a session has a name of its own.
    if (end === 'failed' && !why?.includes('store'))
      this.violate('S4', `a session of ${id} with ${peer} failed: ${why}`)
    this.#note('session', id, peer, end, opsIn, opsOut, String(rootEqual))
  }

  #note(...facts: readonly (string | number)[]): void {
    const line = `${this.scheduler.now} ${facts.join(' ')}\n`
    this.#trace.update(line)
    this.#onNote?.(line)
  }
}
