/**
 * What honest writers say: one row for each thing that a program or a person does to a record. A row that does not fit
 * the record as it is says nothing; the next one is drawn.
 */
import {
  encodeBody,
  encodeVerbs,
  type Merged,
  type Scalar,
  type ToWrite,
  type Value,
  type Verb,
} from '../../crdt/index.ts'
import type { Chance } from './chance.ts'

export type Saying = {
  readonly name: string
  readonly weight: number
  readonly say: (chance: Chance, before: Merged | undefined, slug: string) => ToWrite | undefined
}

const KEYS = ['name', 'a', 'b', 'ratio', '__proto__', '10', '9'] as const
const VALUES: readonly Value[] = [
  0,
  1,
  -1,
  0.5,
  'u',
  'v',
  'é',
  '',
  true,
  null,
  [],
  {},
  ['x', 1],
  { x: 1 },
  { x: { y: 2 } },
]
const MEMBERS: readonly Scalar[] = ['t1', 't2', 't3', 1, true]

const patch = (...verbs: Verb[]): ToWrite => ({ do: 'patch', body: encodeVerbs(verbs) })
const body = (chance: Chance, slug?: string) =>
  encodeBody({
    ...(slug === undefined ? {} : { slug }),
    f: [
      [['name'], `name ${chance.int(0, 9)}`],
      [[chance.pick(KEYS)], chance.pick(VALUES)],
    ],
    s: chance.yes(0.5) ? [[['tags'], [chance.pick(MEMBERS)]]] : [],
    t: chance.yes(0.5) ? [[['text'], chance.pick(['one two three', 'a😀b', ''])]] : [],
  })
/** Only where there is a live record. */
const onLive =
  (say: (chance: Chance, before: Merged) => ToWrite | undefined): Saying['say'] =>
  (chance, before) =>
    before?.live === true ? say(chance, before) : undefined

export const SAYINGS: readonly Saying[] = [
  {
    name: 'register',
    weight: 4,
    say: (chance, before, slug) => (before === undefined ? { do: 'genesis', body: body(chance, slug) } : undefined),
  },
  {
    name: 'restore',
    weight: 2,
    say: (chance, before) => (before?.live === false ? { do: 'put', body: body(chance) } : undefined),
  },
  { name: 'replace', weight: 1, say: onLive((chance) => ({ do: 'put', body: body(chance) })) },
  {
    name: 'set a field',
    weight: 6,
    say: onLive((chance) => {
      const path = chance.yes(0.7) ? [chance.pick(KEYS)] : [chance.pick(KEYS), chance.pick(KEYS)]
      return patch(['set', path, chance.pick(VALUES)])
    }),
  },
  { name: 'remove a field', weight: 1, say: onLive((chance) => patch(['del', [chance.pick(KEYS)]])) },
  {
    name: 'change a set',
    weight: 2,
    say: onLive((chance) => patch([chance.yes(0.6) ? 'add' : 'rem', ['tags'], [chance.pick(MEMBERS)]])),
  },
  { name: 'begin a text', weight: 1, say: onLive(() => patch(['text', ['text'], 'hello world'])) },
  {
    name: 'edit a text',
    weight: 4,
    say: onLive((chance, { texts }) => {
      const text = texts[0]
      if (text === undefined) return undefined
      return patch([
        'splice',
        text.path,
        text.epoch,
        chance.int(0, 12),
        chance.int(0, 3),
        chance.pick(['X', 'yz', '🎉', '']),
      ])
    }),
  },
  { name: 'say nothing', weight: 1, say: onLive(() => patch()) },
  { name: 'delete', weight: 1, say: onLive(() => ({ do: 'delete', body: new Uint8Array(0) })) },
]

/** Something to say about a record as it is; with `bulkBytes` often as much as that. */
export function saySomething(chance: Chance, before: Merged | undefined, slug: string, bulkBytes = 0): ToWrite {
  if (before === undefined) return SAYINGS[0]!.say(chance, before, slug)!
  if (bulkBytes > 0 && before.live && chance.yes(0.7)) {
    return patch(['set', ['bulk'], chance.pick(['x', 'y']).repeat(chance.int(bulkBytes >> 2, bulkBytes))])
  }
  for (;;) {
    const said = pickWeighted(chance, SAYINGS).say(chance, before, slug)
    if (said !== undefined) return said
  }
}

function pickWeighted(chance: Chance, rows: readonly Saying[]): Saying {
  let left = chance.float() * rows.reduce((sum, { weight }) => sum + weight, 0)
  for (const row of rows) {
    left -= row.weight
    if (left < 0) return row
  }
  return rows.at(-1)!
}
