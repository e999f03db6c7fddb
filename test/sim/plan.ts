/**
 * What a seed means: a world (how many nodes, how bad the network and the disks are, who lies) and a list of events.
 *
 * Every seed turns some of the troubles off and draws the strength of the others anew, so that now one and now all of
 * them meet. The list is plain data: a failing one is shrunk by leaving events out, and can be printed and kept.
 */
import { BEHAVIOURS } from './byzantine/index.ts'
import { MANNERS } from './byzantine/manners.ts'
import { Chance } from './chance.ts'
import type { DiskStyle } from './disk.ts'
import { historyOf } from './histories.ts'
import type { NetworkStyle } from './network.ts'

type At = { readonly at: number }
/** `r` seeds what is drawn while it happens. Nodes are named n0, n1, ...; liars z0, z1, ... */
export type Action = At &
  (
    | { readonly do: 'write'; readonly node: string; readonly r: number }
    | { readonly do: 'submit'; readonly node: string; readonly publisher: number; readonly r: number }
    | { readonly do: 'deliver'; readonly node: string; readonly history: number; readonly op: number }
    | { readonly do: 'crash'; readonly node: string; readonly how: 'kill' | 'power'; readonly downMs: number }
    | { readonly do: 'stop'; readonly node: string; readonly downMs: number }
    | { readonly do: 'pause'; readonly node: string; readonly ms: number }
    | { readonly do: 'jump'; readonly node: string; readonly ms: number }
    | { readonly do: 'cut'; readonly pairs: readonly (readonly [from: string, to: string])[]; readonly ms: number }
    | { readonly do: 'reset'; readonly a: string; readonly b: string }
    | {
        readonly do: 'faults'
        readonly node: string
        readonly ms: number
        readonly read: number
        readonly write: number
      }
    | { readonly do: 'flip'; readonly node: string; readonly rows: 'f' | 'r' }
    | { readonly do: 'backup' | 'restore'; readonly node: string }
    | { readonly do: 'lie'; readonly liar: string; readonly what: string; readonly r: number }
  )

export type Plan = {
  readonly seed: number
  readonly nodes: readonly string[]
  /** Each with the way in which it answers others. */
  readonly liars: readonly { readonly id: string; readonly manner: string }[]
  /** Who dials whom. */
  readonly pairs: readonly (readonly [string, string])[]
  readonly network: NetworkStyle
  readonly disk: DiskStyle
  /** Signatures are checked anew each time. */
  readonly real: boolean
  /** Until then things go wrong; afterwards all must come to agree. */
  readonly healMs: number
  readonly actions: readonly Action[]
}

export type DrawOptions = { readonly nodes?: number }

/** One seed in so many verifies every signature. */
const REAL_EVERY = 50
/** What one seed may cost: deliveries of ops to nodes. */
const DELIVERIES = 240

export function drawPlan(seed: number, options: DrawOptions = {}): Plan {
  const chance = new Chance(seed, 'plan')
  const count = options.nodes ?? drawNodes(chance)
  const nodes = Array.from({ length: count }, (_, i) => `n${i}`)
  const liars = Array.from({ length: drawLiars(chance, count) }, (_, i) => ({
    id: `z${i}`,
    manner: chance.pick(MANNERS).name,
  }))
  /** Off in a third of all worlds, else somewhere up to the most. */
  const upTo = (most: number) => (chance.yes(1 / 3) ? 0 : chance.between(0, most))
  const network: NetworkStyle = {
    latencyMs: chance.between(30, 100),
    loss: upTo(0.3),
    replay: upTo(0.5),
  }
  const disk: DiskStyle = {
    cut: chance.yes(0.5) ? 'tail' : 'any',
    syncMs: chance.between(0.5, 15),
    slowReads: upTo(0.3),
  }
  const healMs = chance.between(20_000, 240_000)
  const pairs = drawPairs(
    chance,
    nodes,
    liars.map(({ id }) => id),
  )
  const actions = [
    ...drawWrites(chance, nodes, healMs),
    ...drawDeliveries(chance, nodes, healMs),
    ...drawTroubles(chance, nodes, pairs, healMs, upTo),
    ...liars.flatMap(({ id }) => drawLies(chance, id, healMs)),
  ].sort((a, b) => a.at - b.at)
  return { seed, nodes, liars, pairs, network, disk, real: seed % REAL_EVERY === 0, healMs, actions }
}

/** Mostly few, for speed; now and then many. */
function drawNodes(chance: Chance): number {
  const draw = chance.float()
  if (draw < 0.005) return chance.int(15, 50)
  if (draw < 0.05) return chance.int(8, 14)
  return chance.int(3, 7)
}

/** Up to as many as there are correct nodes. */
function drawLiars(chance: Chance, nodes: number): number {
  return chance.yes(0.4) ? 0 : Math.min(chance.int(1, nodes), 5)
}

/** A ring of the correct nodes, so that one honest path exists, and more; liars know some or all. */
function drawPairs(chance: Chance, nodes: readonly string[], liars: readonly string[]): [string, string][] {
  const pairs: [string, string][] = []
  const density = nodes.length <= 5 ? 1 : chance.between(0, 6 / nodes.length)
  for (const [i, a] of nodes.entries()) {
    for (const [j, b] of nodes.entries()) {
      if (j <= i) continue
      const isRing = j === i + 1 || (i === 0 && j === nodes.length - 1)
      if (isRing || chance.yes(density)) pairs.push([a, b])
    }
  }
  for (const liar of liars) {
    for (const node of chance.shuffled(nodes).slice(0, chance.int(1, Math.min(6, nodes.length))))
      pairs.push([liar, node])
  }
  return pairs
}

function drawWrites(chance: Chance, nodes: readonly string[], healMs: number): Action[] {
  const most = Math.max(6, Math.floor(DELIVERIES / nodes.length))
  const count = chance.int(6, Math.min(most, 70))
  const publishers = chance.int(1, 3)
  const custodial = chance.between(0.1, 0.6)
  return Array.from({ length: count }, (): Action => {
    const common = { at: Math.floor(chance.between(500, healMs)), node: chance.pick(nodes), r: chance.int(0, 2 ** 31) }
    if (chance.yes(custodial)) return { ...common, do: 'write' }
    return { ...common, do: 'submit', publisher: chance.int(0, publishers - 1) }
  })
}

/** In a third of all worlds somebody shares his records: each op comes at some node, mostly after those it builds on. */
function drawDeliveries(chance: Chance, nodes: readonly string[], healMs: number): Action[] {
  if (chance.yes(2 / 3)) return []
  const history = chance.int(0, 2 ** 30)
  const { ops } = historyOf(history)
  return ops.map((_, op) => ({
    at: Math.floor(
      chance.yes(0.7) ? 1_000 + ((op + chance.float()) * (healMs - 2_000)) / ops.length : chance.between(500, healMs),
    ),
    do: 'deliver',
    node: chance.pick(nodes),
    history,
    op,
  }))
}

function drawTroubles(
  chance: Chance,
  nodes: readonly string[],
  pairs: readonly (readonly [string, string])[],
  healMs: number,
  upTo: (most: number) => number,
): Action[] {
  const actions: Action[] = []
  const minutes = healMs / 60_000
  /** So many of a kind, at moments of their own. */
  const draw = (perMinute: number, make: (at: number) => Action | Action[]) => {
    const count = Math.min(40, Math.round(chance.exponential(perMinute * minutes)))
    for (let i = 0; i < count; i++) actions.push(...[make(Math.floor(chance.between(1_000, healMs)))].flat())
  }
  const node = () => chance.pick(nodes)
  draw(upTo(3), (at) => {
    const how = chance.yes(0.5) ? 'kill' : 'power'
    return { at, do: 'crash', node: node(), how, downMs: Math.floor(chance.between(100, 20_000)) }
  })
  draw(upTo(1), (at) => ({ at, do: 'stop', node: node(), downMs: Math.floor(chance.between(100, 10_000)) }))
  draw(upTo(1), (at) => ({ at, do: 'pause', node: node(), ms: Math.floor(chance.between(50, 5_000)) }))
  draw(upTo(0.5), (at) => {
    const year = 365 * 86_400_000
    const ms = chance.yes(0.5) ? chance.between(-60_000, 60_000) : chance.between(-year, year)
    return { at, do: 'jump', node: node(), ms: Math.floor(ms) }
  })
  // Clogs.
  draw(upTo(6), (at) => {
    const [a, b] = chance.pick(pairs)
    return { at, do: 'cut', pairs: [chance.yes(0.5) ? [a, b] : [b, a]], ms: Math.floor(chance.between(100, 5_000)) }
  })
  // Partitions: two or more parts, some of them deaf in one direction only.
  draw(upTo(1.5), (at) => {
    const parts = chance.yes(0.7) ? 2 : chance.int(2, nodes.length)
    const part = new Map(nodes.map((id) => [id, chance.int(0, parts - 1)]))
    const apart = pairs.filter(([a, b]) => part.get(a) !== part.get(b))
    const oneWay = chance.yes(0.3)
    const cut = apart.flatMap(([a, b]): (readonly [string, string])[] => {
      if (!oneWay)
        return [
          [a, b],
          [b, a],
        ]
      return [(part.get(a) ?? 0) < (part.get(b) ?? 0) ? [a, b] : [b, a]]
    })
    return { at, do: 'cut', pairs: cut, ms: Math.floor(chance.between(1_000, 60_000)) }
  })
  draw(upTo(1), (at) => {
    const [a, b] = chance.pick(pairs)
    return { at, do: 'reset', a, b }
  })
  draw(upTo(1.5), (at) => {
    const ms = Math.floor(chance.between(1_000, 30_000))
    return { at, do: 'faults', node: node(), ms, read: upTo(0.1), write: upTo(0.1) }
  })
  draw(upTo(0.3), (at) => {
    const one = { node: node() }
    const back = Math.min(healMs - 5_000, at + chance.int(1_000, 60_000))
    const write = (ms: number): Action => ({ at: back + ms, do: 'write', ...one, r: chance.int(0, 2 ** 31) })
    // The key is used just before and as soon as it can be again.
    return [
      { at, do: 'backup', ...one },
      write(-chance.int(0, 1_000)),
      { at: back, do: 'restore', ...one },
      ...[1_020, 1_200, 2_500].map((ms) => write(chance.int(ms, 2 * ms))),
    ]
  })
  return actions
}

function drawLies(chance: Chance, liar: string, healMs: number): Action[] {
  // A liar knows a few tricks rather than all, so that each is played more than once.
  const tricks = chance.shuffled(BEHAVIOURS).slice(0, chance.int(1, 6))
  return Array.from({ length: chance.int(2, 10) }, () => ({
    at: Math.floor(chance.between(1_000, healMs)),
    do: 'lie',
    liar,
    what: chance.pick(tricks).name,
    r: chance.int(0, 2 ** 31),
  }))
}
