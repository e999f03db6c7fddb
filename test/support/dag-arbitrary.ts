/**
 * Random records: ops of every type that is built, in graphs that branch and meet, over few places and few values, so
 * that writes often touch. Ids are made up and proofs left out: merging takes both as given.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import type { Op, Path, Scalar, Value, Verb } from '../../crdt/index.ts'
import { encode, fromHex, toHex, utf8 } from '../../crdt/index.ts'

export const SLUG = 'acme/thing'
const RECORD = toHex(sha256(utf8('record')))
const OWNER = toHex(sha256(utf8('owner')))
const OTHER = toHex(sha256(utf8('other')))
const SLUG_HASH = toHex(sha256(utf8(SLUG)))
export const TYPES = { genesis: 1, put: 2, patch: 3, delete: 4, unknown: 14 } as const

/** An op as merging sees it. `name` becomes its id. */
export function fakeOp(name: string, type: number, parents: readonly string[], body: Uint8Array, w = 0): Op {
  const genesis = { owner: `01${OWNER}`, kind: 'model', slugHash: SLUG_HASH }
  const actor = w % 2 === 0 ? OWNER : OTHER
  const header = {
    net: '00'.repeat(16),
    type,
    record: RECORD,
    actor,
    parents: [...parents].sort(),
    w,
    bodyLength: body.length,
    bodyHash: '',
    ...(type === TYPES.genesis ? { genesis } : {}),
  }
  return { id: toHex(sha256(utf8(name))), header, body }
}

const key = fc.constantFrom('a', 'b', 'x', '10', '9', '__proto__')
const path: fc.Arbitrary<Path> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom<Path>(['a'], ['b'], ['a', 'x'], ['a', 'b'], ['a', 'x', 'b'], ['s'], ['s', 'x']),
  },
  { weight: 1, arbitrary: fc.array(key, { minLength: 1, maxLength: 4 }) },
)
const scalar: fc.Arbitrary<Scalar> = fc.constantFrom<Scalar>(
  1,
  2,
  'v',
  'hello',
  '',
  null,
  true,
  -1,
  0.5,
  'é',
  Uint8Array.of(1, 2),
)
const value: fc.Arbitrary<Value> = fc.oneof(
  { weight: 4, arbitrary: scalar },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Value>({}, [], { x: 1 }, { x: { b: 1 }, b: 2 }, { x: {} }, ['v'], [{ x: 1 }], {
      10: 1,
      9: 'v',
      a: {},
    }),
  },
  { weight: 1, arbitrary: fc.dictionary(key, scalar, { maxKeys: 3 }) as fc.Arbitrary<Value> },
)
const members = fc.array(scalar, { maxLength: 3 })
const text = fc.constantFrom('', 'v', 'hello', 'a😀b', '😀😀', 'one two three')
const ins = fc.constantFrom('', 'X', 'YZ', '🎉', 'q', 'rs')
const textPath = fc.constantFrom<Path>(['t'], ['t'], ['a', 'x'], ['b'])
const position = fc.oneof(
  { weight: 5, arbitrary: fc.nat(8) },
  { weight: 1, arbitrary: fc.constantFrom(100, Number.MAX_SAFE_INTEGER) },
)

/** A splice names a text by number: of those in its op's past, now and then of all. */
type SpliceStep = { epochOf: number; stray: boolean; at: number; del: number; ins: string }
export type VerbStep = Verb | SpliceStep | { raw: Value }
export const verb: fc.Arbitrary<VerbStep> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(fc.constant('set' as const), path, value) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('set' as const), path, value, fc.constant('reg' as const)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('del' as const), path) },
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('add' as const, 'rem' as const), path, members) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('text' as const), textPath, text) },
  {
    weight: 5,
    arbitrary: fc.record({
      epochOf: fc.nat(),
      stray: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      at: position,
      del: position,
      ins,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Verb>(
      ['set', [], { a: 1, b: { x: 2 } }],
      ['set', [], {}],
      ['del', []],
      ['set', [], { a: { x: 1 } }, 'reg'],
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom<Value>(
        7,
        [],
        ['nope', ['a'], 1],
        ['set', [], 5],
        ['set', ['a']],
        ['set', ['a'], 1, 'xxx'],
        ['set', ['a'], 1, 'reg', 1],
        ['set', 'a', 1],
        ['set', ['k'.repeat(129)], 1],
        ['set', ['a'], { ['k'.repeat(129)]: 1 }],
        ['set', Array(17).fill('a'), 1],
        ['set', Array(15).fill('a'), { a: { b: 1 }, b: 1 }],
        ['del', ['a'], 1],
        ['add', [], ['m']],
        ['add', ['s'], 'm'],
        ['add', ['s'], ['v', [1]]],
        ['add', ['s'], ['x'.repeat(1022)]],
        ['text', [], 'v'],
        ['text', ['t'], 5],
        ['splice', ['t'], new Uint8Array(31), 0, 0, 'q'],
        ['splice', ['t'], new Uint8Array(32), 0, 0, 'q'],
        ['splice', ['t'], new Uint8Array(32), -1, 0, 'q'],
        ['splice', ['t'], new Uint8Array(32), 0.5, 0, 'q'],
      )
      .map((raw) => ({ raw })),
  },
)
export const entries = fc.record({
  slug: fc.option(fc.constantFrom(SLUG, SLUG, 'acme/other'), { nil: undefined }),
  f: fc.array(
    fc.tuple(fc.oneof({ weight: 9, arbitrary: path }, { weight: 1, arbitrary: fc.constant<Path>([]) }), value),
    { maxLength: 4 },
  ),
  s: fc.array(fc.tuple(path, members), { maxLength: 2 }),
  t: fc.array(fc.tuple(textPath, text), { maxLength: 2 }),
})
const badBody = fc.constantFrom<Uint8Array>(
  new Uint8Array(),
  Uint8Array.of(0xff),
  Uint8Array.of(0x18, 1),
  encode({ f: [], s: [] }),
  encode({ f: [], s: [], t: [], z: 1 }),
  encode({ f: [], s: [], t: [], slug: 1 }),
  encode({ f: {}, s: [], t: [] }),
  encode('v'),
)

export type Said =
  | { type: 'genesis' | 'put'; body: { slug?: string; f: [Path, Value][]; s: [Path, Scalar[]][]; t: [Path, string][] } }
  | { type: 'patch'; verbs: VerbStep[] }
  | { type: 'delete' }
  | { type: keyof typeof TYPES; bad: Uint8Array }
type Step = { said: Said; parents: number[]; near: boolean; w: number }

const said: fc.Arbitrary<Said> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ type: fc.constant('genesis' as const), body: entries }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('put' as const), body: entries }) },
  {
    weight: 30,
    arbitrary: fc.record({ type: fc.constant('patch' as const), verbs: fc.array(verb, { maxLength: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('delete' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom('genesis', 'put', 'patch', 'delete', 'unknown', 'unknown'),
      bad: badBody,
    }),
  },
) as fc.Arbitrary<Said>

const step: fc.Arbitrary<Step> = fc.record({
  said,
  parents: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
  near: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
  w: fc.nat(5),
})
const firstStep: fc.Arbitrary<Step> = fc.record({
  said: fc.record({ type: fc.constant('genesis' as const), body: entries }),
  parents: fc.constant([]),
  near: fc.constant(true),
  w: fc.nat(5),
})

/**
 * What a record is about: everything; everything but deletes, which in a record of many ops leave little to compare;
 * or one text that many splice at once.
 */
const about = fc.constantFrom('all', 'content', 'content', 'text', 'text')

/** Ops with parents first; the first is a genesis, and a few more may follow. */
export function dags(range: { readonly min: number; readonly max: number }): fc.Arbitrary<Op[]> {
  return steps(range).map(([salt, one, ops]) =>
    build(
      ops.map((step) => narrowed(step, one)),
      salt,
    ),
  )
}

/** One genesis, each op on the one before it. */
export function lines(range: { readonly min: number; readonly max: number }): fc.Arbitrary<Op[]> {
  return steps(range).map(([salt, one, [first, ...rest]]) => {
    const others = rest.filter(({ said }) => said.type !== 'genesis').map((step) => ({ ...step, parents: [] }))
    return build(
      [first as Step, ...others].map((step) => narrowed(step, one)),
      salt,
    )
  })
}

function steps({ min, max }: { readonly min: number; readonly max: number }) {
  const rest = fc.array(step, { minLength: min - 1, maxLength: max - 1, size: 'max' })
  return fc.tuple(
    fc.nat(1e6),
    about,
    fc.tuple(firstStep, rest).map(([first, others]) => [first, ...others]),
  )
}

function narrowed(step: Step, about: string): Step {
  const { said } = step
  if (about === 'all' || !('type' in said)) return step
  if (said.type === 'delete') return { ...step, said: { type: 'patch', verbs: [] } }
  if (about === 'content') return step
  if ('body' in said) {
    if (said.type === 'put') return { ...step, said: { type: 'patch', verbs: [] } }
    return { ...step, said: { ...said, body: { ...said.body, t: [...said.body.t, [['t'], 'one two three']] } } }
  }
  if (!('verbs' in said)) return step
  const verbs = said.verbs.filter(
    (verb, i) => 'epochOf' in verb || (i === 3 && Array.isArray(verb) && verb[0] === 'text'),
  )
  return { ...step, said: { ...said, verbs } }
}

function build(steps: readonly Step[], salt: number): Op[] {
  const ops: Op[] = []
  const pasts = new Map<string, Set<string>>()
  const texts: { epoch: string; path: Path }[] = []
  for (const [i, { said, parents, near, w }] of steps.entries()) {
    const type = TYPES[said.type]
    // Most ops build on one of the last four, so that there is depth as well as breadth.
    const window = near ? Math.min(4, ops.length) : ops.length
    const picked = parents.map((n) => (ops[ops.length - 1 - (n % window)] as Op).id)
    const on =
      type === TYPES.genesis ? [] : picked.length > 0 ? [...new Set(picked)] : ops.slice(-1).map(({ id }) => id)
    const past = new Set(on.flatMap((id) => [id, ...(pasts.get(id) as Set<string>)]))
    const op = fakeOp(`${salt} ${i}`, type, on, bodyOf(said, texts, past), w)
    ops.push(op)
    pasts.set(op.id, past)
    const verbs =
      'verbs' in said ? said.verbs : 'body' in said ? said.body.t.map(([path, text]) => ['text', path, text]) : []
    for (const one of verbs)
      if (Array.isArray(one) && one[0] === 'text') texts.push({ epoch: op.id, path: one[1] as Path })
  }
  return ops
}

/** `texts`: what a splice may name; `past` of those, what its op has seen. */
export function bodyOf(
  said: Said,
  texts: readonly { epoch: string; path: Path }[],
  past: ReadonlySet<string>,
): Uint8Array {
  if ('bad' in said) return said.bad
  if ('body' in said) {
    // Not by encodeBody, which refuses to write what readers take for inert.
    const { slug, ...lists } = said.body
    return encode(slug === undefined ? lists : { slug, ...lists })
  }
  if (!('verbs' in said)) return new Uint8Array()
  const seen = texts.filter(({ epoch }) => past.has(epoch))
  const parts = said.verbs.flatMap((one) => {
    if ('raw' in one) return [one.raw]
    if (!('epochOf' in one)) return [one as Value]
    const from = one.stray || seen.length === 0 ? texts : seen
    if (from.length === 0) return []
    // Mostly the newest texts, which are the likeliest to be shown.
    const { epoch, path } = from[from.length - 1 - (one.epochOf % Math.min(4, from.length))] as (typeof from)[number]
    return [['splice', path, fromHex(epoch), one.at, one.del, one.ins]]
  })
  return encode(parts as Value)
}
