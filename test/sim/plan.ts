/**
 * What a seed means: a world (how many nodes, how bad the network and the disks are, who lies) and a list of events.
 *
 * Every seed turns some of the troubles off and draws the strength of the others anew, so that now one and now all of
 * them meet. The list is plain data: a failing one is shrunk by leaving events out, and can be printed and kept.
 */

import { eraseGraceMs } from '../../node/limits.ts'
import { kindSet } from '../../node/sets.ts'
import { BEHAVIOURS } from './byzantine/index.ts'
import { MANNERS } from './byzantine/manners.ts'
import { Chance } from './chance.ts'
import type { DiskStyle } from './disk.ts'
import { historyOf } from './histories.ts'
import { KINDS } from './library.ts'
import type { NetworkStyle } from './network.ts'

type At = { readonly at: number }
/** `r` seeds what is drawn while it happens. Nodes are named n0, n1, ...; liars z0, z1, ... */
/**
 * How a store goes back to a backup: `copied` row by row, `bare` too while the journal is gone, `store` and `all` as
 * `peerage restore` does it. Only `all` takes the journal back as well.
 */
export type RestoredAs = 'copied' | 'bare' | 'store' | 'all'
export type Action = At &
  (
    | { readonly do: 'write'; readonly node: string; readonly r: number }
    | { readonly do: 'submit'; readonly node: string; readonly publisher: number; readonly r: number }
    | { readonly do: 'deliver'; readonly node: string; readonly history: number; readonly op: number }
    /** Whoever owns an identity writes, or hands it on to its next key. */
    | { readonly do: 'speak'; readonly node: string; readonly identity: number; readonly r: number }
    /** The node says who may write for an owner, or who may no more, or takes out what was said. */
    | { readonly do: 'authorise'; readonly node: string; readonly r: number }
    /** A bundle of all that the one holds is read by the other. */
    | { readonly do: 'carry'; readonly from: string; readonly node: string }
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
    | { readonly do: 'backup'; readonly node: string }
    | { readonly do: 'restore'; readonly node: string; readonly as?: RestoredAs }
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
  /** What nodes take part in that do not take part in everything: names of sets, of a node for its owner. */
  readonly sets?: Readonly<Record<string, readonly string[]>>
  /** The share of writes in the records of others who let them. */
  readonly sharing?: number
  /** Of values that are larger than a message holds few of, in bytes. */
  readonly bulkBytes?: number
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
const DELIVERIES = 170
const DAY_MS = 86_400_000

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
  const healMs = chance.between(20_000, 140_000)
  const sets = drawSets(chance, nodes)
  const whole = nodes.filter((id) => sets[id] === undefined)
  const pairs = drawPairs(
    chance,
    whole,
    nodes.filter((id) => sets[id] !== undefined),
    liars.map(({ id }) => id),
  )
  const sharing = chance.yes(0.6) ? 0 : chance.between(0.1, 0.5)
  const bulkBytes = chance.yes(0.96) ? 0 : chance.int(20_000, 120_000)
  const actions = [
    ...drawWrites(chance, nodes, healMs),
    ...(sharing > 0 ? drawSharing(chance, nodes, healMs) : []),
    ...drawDeliveries(chance, nodes, healMs),
    ...drawTroubles(chance, nodes, pairs, healMs, upTo),
    ...liars.flatMap(({ id }) => drawLies(chance, id, healMs)),
  ]
    // Nothing happens once all is well: what befalls a node again and again could go on into the checks.
    .filter(({ at }) => at < healMs)
    .sort((a, b) => a.at - b.at)
  const more = { sets, sharing, bulkBytes }
  return { seed, nodes, liars, pairs, network, disk, ...more, real: seed % REAL_EVERY === 0, healMs, actions }
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
  return chance.yes(0.4) ? 0 : Math.min(chance.int(1, chance.yes(0.7) ? 2 : nodes), 5)
}

/** In some worlds one or two nodes take part in a kind or an owner only. Three at least hold everything. */
function drawSets(chance: Chance, nodes: readonly string[]): Record<string, readonly string[]> {
  if (nodes.length < 4 || chance.yes(0.8)) return {}
  const names = [...KINDS.map(kindSet), `owner:${chance.pick(nodes)}`]
  const some = chance.shuffled(nodes).slice(0, chance.int(1, Math.min(2, nodes.length - 3)))
  return Object.fromEntries(some.map((id) => [id, chance.shuffled(names).slice(0, chance.int(1, 2))]))
}

/**
 * A ring of the correct nodes that hold everything, so that one honest path exists, and more; those that take part in
 * some of it and liars know some or all of these.
 */
function drawPairs(
  chance: Chance,
  nodes: readonly string[],
  parts: readonly string[],
  liars: readonly string[],
): [string, string][] {
  const pairs: [string, string][] = []
  const density = chance.between(0, Math.min(1, 5 / nodes.length))
  for (const [i, a] of nodes.entries()) {
    for (const [j, b] of nodes.entries()) {
      if (j <= i) continue
      const isRing = j === i + 1 || (i === 0 && j === nodes.length - 1)
      if (isRing || chance.yes(density)) pairs.push([a, b])
    }
  }
  for (const other of [...parts, ...liars]) {
    for (const node of chance.shuffled(nodes).slice(0, chance.int(1, Math.min(4, nodes.length))))
      pairs.push([other, node])
  }
  return pairs
}

function drawWrites(chance: Chance, nodes: readonly string[], healMs: number): Action[] {
  const most = Math.max(6, Math.floor(DELIVERIES / nodes.length))
  const count = chance.int(6, Math.min(most, 50))
  const publishers = chance.int(1, 3)
  const custodial = chance.between(0.1, 0.6)
  return Array.from({ length: count }, (): Action => {
    const common = { at: Math.floor(chance.between(500, healMs)), node: chance.pick(nodes), r: chance.int(0, 2 ** 31) }
    if (chance.yes(custodial)) return { ...common, do: 'write' }
    return { ...common, do: 'submit', publisher: chance.int(0, publishers - 1) }
  })
}

/** Nodes that let each other write and take it back; identities whose keys change; bundles that are carried about. */
function drawSharing(chance: Chance, nodes: readonly string[], healMs: number): Action[] {
  const at = () => Math.floor(chance.between(500, healMs))
  const r = () => chance.int(0, 2 ** 31)
  const several = (most: number, make: () => Action) => Array.from({ length: chance.int(0, most) }, make)
  const identities = chance.int(1, 2)
  return [
    ...several(14, () => ({ at: at(), do: 'authorise', node: chance.pick(nodes), r: r() })),
    ...several(14, () => ({
      at: at(),
      do: 'speak',
      node: chance.pick(nodes),
      identity: chance.int(0, identities - 1),
      r: r(),
    })),
    ...several(3, () => ({ at: at(), do: 'carry', from: chance.pick(nodes), node: chance.pick(nodes) })),
  ]
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
  // Now and then again and again, as by whoever looks after it: it is stopped while its peers come to it.
  const storm = (first: Action & { readonly node: string; readonly downMs: number }): Action[] => {
    const again: Action[] = []
    for (let { at, downMs } = first; chance.yes(0.35); ) {
      at += downMs + chance.int(300, 4_000)
      downMs = chance.int(100, 1_000)
      again.push({ at, do: 'stop', node: first.node, downMs })
    }
    return [first, ...again]
  }
  draw(upTo(3), (at) => {
    const how = chance.yes(0.5) ? 'kill' : 'power'
    return storm({ at, do: 'crash', node: node(), how, downMs: chance.int(100, 20_000) })
  })
  draw(upTo(2), (at) => storm({ at, do: 'stop', node: node(), downMs: chance.int(100, 10_000) }))
  draw(upTo(1), (at) => ({ at, do: 'pause', node: node(), ms: Math.floor(chance.between(50, 5_000)) }))
  draw(upTo(0.5), (at) => {
    const year = 365 * DAY_MS
    const ms = chance.yes(0.5) ? chance.between(-60_000, 60_000) : chance.between(-year, year)
    return { at, do: 'jump', node: node(), ms: Math.floor(ms) }
  })
  // Long enough off for bodies of erased ops to be freed, which is done at a start.
  draw(upTo(0.2), (at) => {
    const one = node()
    return [
      { at, do: 'jump', node: one, ms: eraseGraceMs + DAY_MS },
      { at: at + 10, do: 'stop', node: one, downMs: 100 },
      { at: at + 3_000, do: 'jump', node: one, ms: -eraseGraceMs - DAY_MS },
    ]
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
  // Bit rot, at one node: what the key of it has signed may be nowhere else, so the others' disks are good.
  const rotten = nodes[0]!
  draw(chance.yes(0.6) ? 0 : upTo(1), (at) => ({ at, do: 'flip', node: rotten, rows: chance.yes(0.6) ? 'f' : 'r' }))
  // It is found at once after a kill, and else within a quarter of an hour.
  if (actions.some((action) => action.do === 'flip') && chance.yes(0.8))
    actions.push({ at: healMs - 1, do: 'crash', node: rotten, how: 'kill', downMs: 100 })
  draw(upTo(0.3), (at) => {
    const one = { node: node() }
    const back = Math.min(healMs - 5_000, at + chance.int(1_000, 60_000))
    const write = (ms: number): Action => {
      return { at: back + ms, do: chance.yes(0.7) ? 'write' : 'authorise', ...one, r: chance.int(0, 2 ** 31) }
    }
    // The key is used just before and as soon as it can be again.
    return [
      { at, do: 'backup', ...one },
      write(-chance.int(0, 1_000)),
      { at: back, do: 'restore', ...one, as: chance.pick(['copied', 'store', 'all', 'bare']) },
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
