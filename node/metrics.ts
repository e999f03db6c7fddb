/**
 * What the node counts, in Prometheus form. Label values come from closed sets only: a peer or client can make a
 * number grow, never the number of series.
 *
 * The parts call in (`admitted`, `request`, ...); gauges are read from the parts when somebody scrapes.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { type FrameReason, kinds, type OpReason } from '../crdt/index.ts'
import type { Counters } from './counters.ts'
import type { RequestFacts } from './face.ts'
import type { Admitted, Source, Verdict } from './replica-types.ts'
import { RequestTimes } from './request-times.ts'

/** Read at each scrape. */
export type Gauges = {
  readonly records: Readonly<Record<string, number>>
  readonly ops: number
  readonly seq: number
  readonly pendingOps: number
  readonly pendingBytes: number
  readonly searchBehind: number
  readonly peers: number
  /** Ops whose copy on disk is damaged and that no peer has given again yet. */
  readonly damagedOps: number
  /** Ops that are known and not held or served, for the operator blocks them. */
  readonly withheldOps: number
}

/** What only a whole node has, read at each scrape. */
export type NodeGauges = {
  /** The op set is loaded. */
  readonly ready: boolean
  /** Connected peers whose root was another at the last comparison. */
  readonly peersDiffering: number
  /** Records that are not signed over, for the journal knows more of them than the store. */
  readonly forkedRecords: number
  /** The store came from a backup and has met no peer since: nothing is signed. */
  readonly restored: boolean
  /** Ops that were gone at the start and that no peer has given again yet. */
  readonly lostOps: number
  /** What looking at the store took after an unclean end; 0 after a clean one. */
  readonly openCheckMs: number
  /** Where the data folder lies; undefined when it cannot be told. */
  readonly diskFreeBytes: number | undefined
}

export type MetricsOptions = {
  /** False leaves out memory, CPU and event loop. */
  readonly process?: boolean
  readonly node?: { readonly version: string; readonly network: string; readonly gauges: () => NodeGauges }
}

/** SPEC.md, "Batches and frames"; any other is counted as `other`. */
const REASONS = [
  'malformed',
  'too-large',
  'bad-key',
  'bad-proof',
  'bad-signature',
  'reserved',
  'bad-parents',
  'wrong-record',
  'not-authorised',
  'outside', // of a kind or owner that this node takes no part in
  'blocked', // by the operator
  'quota', // its owner or actor has had his share
  'crowded', // merging its record once more has to wait
] as const satisfies readonly (FrameReason | OpReason | 'outside' | 'blocked' | 'quota' | 'crowded')[]

export class Metrics {
  readonly #registry = new Registry()
  readonly #ops: Counter
  readonly #refused: Counter
  readonly #requests = new RequestTimes()

  /** What is given to be called is called at each scrape and must be cheap. */
  constructor(gauges: () => Gauges, options: MetricsOptions = {}) {
    const registers = [this.#registry]
    if (options.process !== false) collectDefaultMetrics({ register: this.#registry })
    this.#ops = new Counter({
      name: 'peerage_ops_total',
      help: 'Ops that arrived, by verdict.',
      labelNames: ['verdict', 'via'],
      registers,
    })
    this.#refused = new Counter({
      name: 'peerage_refused_total',
      help: 'Frames, ops and messages refused, by reason.',
      labelNames: ['reason', 'via'],
      registers,
    })
    new Gauge({
      name: 'peerage_records',
      help: 'Live records, by kind.',
      labelNames: ['kind'],
      registers,
      collect() {
        this.reset()
        // Kinds without a table are relayed too, and their names are strangers' words: they share one series.
        let others = 0
        for (const [kind, count] of Object.entries(gauges().records)) {
          if (Object.hasOwn(kinds, kind)) this.set({ kind }, count)
          else others += count
        }
        if (others > 0) this.set({ kind: 'other' }, others)
      },
    })
    const gauge = (name: string, help: string, read: (now: Gauges) => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read(gauges()))
        },
      })
    gauge('peerage_ops', 'Ops held.', (now) => now.ops)
    gauge('peerage_seq', 'Last arrival number.', (now) => now.seq)
    gauge('peerage_pending_ops', 'Ops that wait for a parent.', (now) => now.pendingOps)
    gauge('peerage_pending_bytes', 'Bytes of ops that wait for a parent.', (now) => now.pendingBytes)
    gauge('peerage_search_behind', 'Arrivals that the search index has not reached.', (now) => now.searchBehind)
    gauge('peerage_damaged_ops', 'Ops whose copy on disk is damaged.', (now) => now.damagedOps)
    gauge('peerage_withheld_ops', 'Ops known and refused by a block.', (now) => now.withheldOps)
    gauge('peerage_peers', 'Connected peers.', (now) => now.peers)
    if (options.node !== undefined) this.#ofNode(options.node)
  }

  #ofNode({ version, network, gauges }: NonNullable<MetricsOptions['node']>): void {
    const registers = [this.#registry]
    const info = { name: 'peerage_info', help: 'Always 1; the labels tell.', labelNames: ['version', 'network'] }
    new Gauge({ ...info, registers }).set({ version, network }, 1)
    const gauge = (name: string, help: string, read: (now: NodeGauges) => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read(gauges()))
        },
      })
    gauge('peerage_ready', 'Whether the op set is loaded: 0 or 1.', ({ ready }) => (ready ? 1 : 0))
    const differing = 'Connected peers whose root was another at the last comparison.'
    gauge('peerage_peers_differing', differing, (now) => now.peersDiffering)
    const forked = 'Records not signed over, for the journal knows more of them than the store.'
    gauge('peerage_forked_records', forked, (now) => now.forkedRecords)
    const restored =
      'Whether the store is a restored backup, or lost its journal, and signs nothing until it has met a peer: 0 or 1.'
    gauge('peerage_restored', restored, (now) => (now.restored ? 1 : 0))
    const lost = 'Ops that were gone from the disk at the start; 0 once the set was found equal to that of a peer.'
    gauge('peerage_lost_ops', lost, (now) => now.lostOps)
    const check = 'Seconds that checking the store took after an end that was not clean.'
    gauge('peerage_open_check_seconds', check, (now) => now.openCheckMs / 1_000)
    const free = 'Free bytes where the data folder lies.'
    gauge('peerage_disk_free_bytes', free, (now) => now.diskFreeBytes ?? Number.NaN)
  }

  /** After Replica.admit. */
  admitted(admitted: Admitted, via: Source['via']): void {
    const verdicts: Partial<Record<Verdict, number>> = {}
    for (const { verdict, reason } of admitted.results) {
      verdicts[verdict] = (verdicts[verdict] ?? 0) + 1
      if (verdict === 'refused') this.#refused.inc({ reason: known(reason), via })
    }
    for (const [verdict, count] of Object.entries(verdicts)) this.#ops.inc({ verdict, via }, count)
    for (const { reason } of admitted.refusedFrames) this.#refused.inc({ reason: known(reason), via })
  }

  /**
   * Shows the counts that other parts keep (counters.ts) as `peerage_<name>_total{what=...}`. Two parts may count under
   * one name: the sums are shown. Called once.
   */
  follow(read: () => readonly Counters[]): void {
    const sums = (name: string) => {
      const total: Record<string, number> = {}
      for (const counters of read()) {
        for (const [what, count] of Object.entries(counters[name] ?? {})) total[what] = (total[what] ?? 0) + count
      }
      return total
    }
    for (const name of new Set(read().flatMap((counters) => Object.keys(counters)))) {
      const counter: Counter = new Counter({
        name: `peerage_${name}_total`,
        help: `Counted by what happened: ${name.replaceAll('_', ' ')}.`,
        labelNames: ['what'],
        registers: [this.#registry],
        collect() {
          counter.reset()
          for (const [what, count] of Object.entries(sums(name))) counter.inc({ what }, count)
        },
      })
    }
  }

  request(facts: RequestFacts): void {
    this.#requests.count(facts)
  }

  /** Prometheus text exposition format 0.0.4. */
  async text(): Promise<string> {
    return (await this.#registry.metrics()) + this.#requests.text()
  }
}

function known(reason: string | undefined): string {
  return (REASONS as readonly (string | undefined)[]).includes(reason) ? (reason as string) : 'other'
}
