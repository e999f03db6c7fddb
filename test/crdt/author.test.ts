import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { spliceBetween } from '../../crdt/difference.ts'
import {
  applyMergePatch,
  bodyOf,
  type Doc,
  decodeMerged,
  diff,
  diffMergePatch,
  encodeMerged,
  type Kind,
  kindOf,
  kinds,
  type Merged,
  type Path,
  type Scalar,
  type Value,
  type Verb,
} from '../../crdt/index.ts'
import { namedBy } from '../../crdt/merge-patch.ts'
import { History, shape } from '../support/author-history.ts'
import { seeded } from '../support/seed.ts'

const model = kindOf('model') as Kind
const agent = kindOf('agent') as Kind
const long = 'A sentence that is long enough for a splice to be smaller than saying it all again. '.repeat(2)

/** The verbs from one document to another, on a record that was just registered. */
function verbsOf(kind: Kind | undefined, before: Doc, after: Doc): Verb[] {
  return diff(kind, new History(kind, before).merged(), after)
}

describe('bodyOf', () => {
  test('puts each leaf where the table says: registers, sets, texts, maps leaf by leaf', () => {
    const body = bodyOf(model, 'a/b', {
      name: 'b',
      description: 'Some text.',
      tags: ['x', 'y'],
      model_type: { Other: 'fill-mask' },
      resource_requirements: { min_vram_gb: 0.5, requires_gpu: true },
      modality: { input: ['text'] },
      mine: { deep: { er: 1 }, none: {} },
    })
    expect(body.slug).toBe('a/b')
    expect(body.f).toEqual([
      [['name'], 'b'],
      [['model_type'], { Other: 'fill-mask' }],
      [['resource_requirements', 'min_vram_gb'], 0.5],
      [['resource_requirements', 'requires_gpu'], true],
      [['mine', 'deep', 'er'], 1],
      [['mine', 'none'], {}],
    ])
    expect(body.s).toEqual([
      [['tags'], ['x', 'y']],
      [['modality', 'input'], ['text']],
    ])
    expect(body.t).toEqual([[['description'], 'Some text.']])
  })

  test.each<[string, Value]>([
    ['an empty list', []],
    ['a repeated member', ['a', 'a']],
    ['a nested member', ['a', { Other: 'b' }]],
    ['a member of more than 1 KiB', ['a'.repeat(1024)]],
    ['another type', 'a'],
  ])('a set field with %s is a register', (_, tags) => {
    expect(bodyOf(model, undefined, { tags })).toEqual({ f: [[['tags'], tags]], s: [], t: [] })
  })

  test('a list whose order says something keeps it', () => {
    const doc = { preferred_models: ['z', 'a', 'm'] }
    expect(new History(agent, doc).merged().doc['preferred_models']).toEqual(['z', 'a', 'm'])
  })

  test('a map deeper than a path can go is one value', () => {
    let doc: Doc = { leaf: 1 }
    for (let i = 0; i < 20; i++) doc = { down: doc }
    const [[path, value]] = bodyOf(undefined, undefined, doc).f as [[Path, Value]]
    expect(path).toHaveLength(16)
    expect(value).toHaveProperty('down')
    expect(shape(new History(undefined, doc).merged().doc, [])).toBe(shape(doc, []))
  })
})

describe('diff', () => {
  test.each<[string, Doc, Doc, Verb[]]>([
    [
      'nothing changed',
      { name: 'a', tags: ['x', 'y'], cost: { input: 1 } },
      { cost: { input: 1 }, tags: ['y', 'x'], name: 'a' },
      [],
    ],
    ['one field', { name: 'a', version: '1' }, { name: 'a', version: '2' }, [['set', ['version'], '2']]],
    ['a field more', { name: 'a' }, { name: 'a', version: '2' }, [['set', ['version'], '2']]],
    ['a field less', { name: 'a', version: '1' }, { name: 'a' }, [['del', ['version']]]],
    [
      'one price',
      { cost: { input: 1, output: 2 } },
      { cost: { input: 1, output: 3 } },
      [['set', ['cost', 'output'], 3]],
    ],
    ['the last price', { cost: { input: 1 } }, { cost: {} }, [['set', ['cost'], {}]]],
    ['a first price', { cost: {} }, { cost: { input: 1 } }, [['set', ['cost'], { input: 1 }]]],
    ['all prices at once', {}, { cost: { input: 1, output: 2 } }, [['set', ['cost'], { input: 1, output: 2 }]]],
    [
      'tags',
      { tags: ['a', 'b', 'c'] },
      { tags: ['c', 'd', 'a'] },
      [
        ['rem', ['tags'], ['b']],
        ['add', ['tags'], ['d']],
      ],
    ],
    ['tags to none', { tags: ['a'] }, { tags: [] }, [['set', ['tags'], []]]],
    [
      'tags from none',
      { tags: [] },
      { tags: ['a'] },
      [
        ['del', ['tags']],
        ['add', ['tags'], ['a']],
      ],
    ],
    [
      'an enum to an unlisted value',
      { model_type: 'LLM' },
      { model_type: { Other: 'x' } },
      [['set', ['model_type'], { Other: 'x' }, 'reg']],
    ],
    ['a short text', { description: 'Old.' }, { description: 'New.' }, [['text', ['description'], 'New.']]],
    ['a text away', { description: 'Old.' }, {}, [['del', ['description']]]],
    ['a map from a scalar', { mine: 1 }, { mine: { a: 1 } }, [['set', ['mine'], { a: 1 }]]],
    ['a scalar from a map', { mine: { a: 1 } }, { mine: 1 }, [['set', ['mine'], 1]]],
    [
      'a list in an unknown map',
      { mine: { a: [1], b: 1 } },
      { mine: { a: [1, 2], b: 1 } },
      [['set', ['mine', 'a'], [1, 2]]],
    ],
  ])('%s', (_, before, after, verbs) => {
    expect(verbsOf(model, before, after)).toEqual(verbs)
  })

  test('an edit of a long text is one splice of what changed', () => {
    const history = new History(model, { description: long })
    const [verb] = diff(model, history.merged(), { description: long.replace('sentence', 'sentence, this one,') })
    expect(verb).toEqual(['splice', ['description'], history.head, 'A sentence'.length, 0, ', this one,'])
  })

  test('a text with many splices is written afresh', () => {
    const before = new History(model, { description: long }).merged()
    const full: Merged = { ...before, texts: before.texts.map((text) => ({ ...text, splices: 500 })) }
    expect(diff(model, full, { description: `${long}!` })).toEqual([['text', ['description'], `${long}!`]])
  })

  test('a text that two wrote alike is written afresh, for a splice of one would part it from the other', () => {
    const history = new History(model, {})
    const { heads } = history.merged()
    history.patch([['text', ['description'], long]], heads)
    history.patch([['text', ['description'], long]], heads)
    const before = history.merged()
    expect(before.conflicts).toEqual([])
    expect(decodeMerged(encodeMerged(before))).toEqual(before)
    const verbs = diff(model, before, { description: `${long}!` })
    expect(verbs).toEqual([['text', ['description'], `${long}!`]])
    history.patch(verbs)
    expect(history.merged().conflicts).toEqual([])
    expect(diff(model, history.merged(), { description: `${long}!!` })[0]?.[0]).toBe('splice')
  })

  test('a set and a text of a record stay what they are, also where no table knows them', () => {
    const history = new History(undefined, {})
    history.patch([
      ['add', ['words'], ['a']],
      ['text', ['prose'], long],
    ])
    expect(diff(undefined, history.merged(), { words: ['a', 'b'], prose: `${long}!` })).toEqual([
      ['splice', ['prose'], history.head, long.length, 0, '!'],
      ['add', ['words'], ['b']],
    ])
  })

  test('edits of different places by two people merge', () => {
    const history = new History(model, { description: long, tags: ['a'], cost: { input: 1, output: 2 } })
    const base = history.merged()
    const doc = base.doc
    history.patch(diff(model, base, { ...doc, tags: ['a', 'b'], cost: { input: 9, output: 2 } }), base.heads)
    history.patch(diff(model, base, { ...doc, tags: ['c', 'a'], description: `So: ${long}` }), base.heads)
    const merged = history.merged()
    expect(merged.conflicts).toEqual([])
    expect(merged.doc).toMatchObject({
      description: `So: ${long}`,
      tags: ['a', 'b', 'c'],
      cost: { input: 9, output: 2 },
    })
  })
})

describe('spliceBetween', () => {
  test('never parts a surrogate pair', () => {
    // 😀 is d83d de00, 😁 is d83d de01, 🨀 is d83e de00.
    expect(spliceBetween('a😀b', 'a😁b')).toEqual({ at: 1, del: 2, ins: '😁' })
    expect(spliceBetween('a😀b', 'a🨀b')).toEqual({ at: 1, del: 2, ins: '🨀' })
    expect(spliceBetween('😀', '😀😀')).toEqual({ at: 2, del: 0, ins: '😀' })
    expect(spliceBetween('😀😀', '😀')).toEqual({ at: 2, del: 2, ins: '' })
  })

  test('applied to the one text it gives the other', () =>
    seeded(({ seed }) => {
      const text = fc.string({ unit: fc.constantFrom('a', 'b', '😀', '😁', '🨀', 'é'), maxLength: 12 })
      fc.assert(
        fc.property(text, text, (b, a) => {
          const { at, del, ins } = spliceBetween(b, a)
          expect(b.slice(0, at) + ins + b.slice(at + del)).toBe(a)
          expect(ins.isWellFormed() && b.slice(at, at + del).isWellFormed()).toBe(true)
        }),
        { seed, numRuns: 2000 },
      )
    }))
})

describe('merge patch', () => {
  // The examples of RFC 7396, appendix A, as far as they are documents.
  test.each<[Doc, Doc, Doc]>([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j is %j', (doc, patch, after) => {
    expect(JSON.parse(JSON.stringify(applyMergePatch(doc, patch)))).toEqual(after)
    const history = new History(undefined, doc)
    history.patch(diffMergePatch(undefined, history.merged(), patch))
    expect(JSON.parse(JSON.stringify(history.merged().doc))).toEqual(after)
  })

  test('one that says what is there already changes nothing', () => {
    const before = new History(model, { version: '1', tags: ['a', 'b'] }).merged()
    expect(diffMergePatch(model, before, { version: '1', tags: ['b', 'a'], license: null })).toEqual([])
  })

  function inConflict(kind: Kind, doc: Doc, left: Doc, right: Doc): History {
    const history = new History(kind, doc)
    const base = history.merged()
    history.patch(diff(kind, base, left), base.heads)
    history.patch(diff(kind, base, right), base.heads)
    expect(history.merged().conflicts).not.toEqual([])
    return history
  }

  test('naming a place in conflict settles it, with the value that is shown too', () => {
    const history = inConflict(model, { version: '1' }, { version: '2' }, { version: '3' })
    const shown = history.merged().doc['version'] as Value
    history.patch(diffMergePatch(model, history.merged(), { version: shown }))
    expect(history.merged().conflicts).toEqual([])
    expect(history.merged().doc['version']).toBe(shown)
  })

  test('null settles a conflict whose shown side is absent', () => {
    const history = inConflict(model, { version: '1' }, { version: '2' }, {})
    expect(history.merged().doc['version']).toBeUndefined()
    const verbs = diffMergePatch(model, history.merged(), { version: null })
    expect(verbs).toEqual([['del', ['version']]])
    history.patch(verbs)
    expect(history.merged().conflicts).toEqual([])
  })

  test('one that names another place leaves the conflict', () => {
    const history = inConflict(model, { version: '1' }, { version: '2' }, { version: '3' })
    history.patch(diffMergePatch(model, history.merged(), { license: 'MIT' }))
    expect(history.merged().conflicts).toHaveLength(1)
  })

  test('two texts written anew conflict, and a patch that names the text settles it', () => {
    const history = inConflict(model, { description: 'One.' }, { description: 'Two.' }, { description: 'Three.' })
    history.patch(diffMergePatch(model, history.merged(), { description: 'Two and three.' }))
    expect(history.merged().conflicts).toEqual([])
    expect(history.merged().doc['description']).toBe('Two and three.')
  })

  test('a member that one took out and another put in anew', () => {
    const history = new History(model, { tags: ['a', 'b'] })
    const base = history.merged()
    history.patch([['rem', ['tags'], ['b']]], base.heads)
    history.patch([['add', ['tags'], ['b']]], base.heads)
    const before = history.merged()
    expect(before.conflicts).toHaveLength(1)
    history.patch(diffMergePatch(model, before, { tags: ['a'] }))
    expect(history.merged().doc['tags']).toEqual(['a'])
    expect(history.merged().conflicts).toEqual([])
  })
})

test('replacing the whole with `settle` leaves no conflict, but changes nothing where nothing differs', () => {
  const history = new History(model, { version: '1', cost: { input: 1 } })
  const base = history.merged()
  history.patch(
    [
      ['set', ['version'], '2'],
      ['set', ['cost'], 5],
    ],
    base.heads,
  )
  history.patch(
    [
      ['set', ['version'], '3'],
      ['set', ['cost', 'input'], 2],
    ],
    base.heads,
  )
  const before = history.merged()
  expect(before.conflicts.length).toBeGreaterThan(1)
  expect(diff(model, before, before.doc, { settle: true })).toEqual([])
  const after = { ...before.doc, license: 'MIT' }
  expect(diff(model, before, after)).toEqual([['set', ['license'], 'MIT']])
  history.patch(diff(model, before, after, { settle: true }))
  expect(history.merged().conflicts).toEqual([])
  expect(shape(history.merged().doc, [])).toBe(shape(after, []))
})

describe('what is hidden in a conflict', () => {
  /** Branches above one genesis, the first the newest and so the first to be shown. */
  function branches(kind: Kind | undefined, doc: Doc, ...sides: readonly (readonly Verb[])[]): History {
    const history = new History(kind, doc)
    const { heads } = history.merged()
    for (const [i, verbs] of sides.entries()) history.patch(verbs, heads, (sides.length - i) * 1000)
    return history
  }
  function expectAfter(history: History, kind: Kind | undefined, after: Doc, settle = false): readonly Verb[] {
    const verbs = diff(kind, history.merged(), after, { settle })
    history.patch(verbs)
    const merged = history.merged()
    expect(shape(merged.doc, merged.sets)).toBe(shape(after, merged.sets))
    if (settle) expect(merged.conflicts).toEqual([])
    return verbs
  }

  test('does not come to light when what hid it in a map is removed', () => {
    const history = branches(undefined, {}, [['set', ['m', 'x'], 1]], [['set', ['m'], 5]], [['set', ['m', 'y'], 2]])
    expect(history.merged().doc).toEqual({ m: { x: 1, y: 2 } })
    expect(expectAfter(history, undefined, { m: { y: 2 } })).toEqual([['set', ['m'], { y: 2 }]])
  })

  test('does not come to light when the member that hid it is taken out', () => {
    const history = branches(
      model,
      {},
      [['add', ['tags'], ['a']]],
      [['set', ['tags'], ['z']]],
      [['add', ['tags'], ['b']]],
    )
    expect(history.merged().doc).toEqual({ tags: ['a', 'b'] })
    expect(expectAfter(history, model, { tags: ['b'] })).toEqual([
      ['del', ['tags']],
      ['add', ['tags'], ['b']],
    ])
  })

  test.each<Verb>([
    ['set', ['tags', 'k'], 1],
    ['add', ['tags', 'k'], ['z']],
  ])('does not come to light from below a set (%s)', (...below) => {
    const history = branches(model, {}, [['add', ['tags'], ['a']]], [below as Verb], [['add', ['tags'], ['b']]])
    expect(history.merged().doc).toEqual({ tags: ['a', 'b'] })
    expectAfter(history, model, { tags: ['b'] })
  })

  test('stays hidden by an edit of a text beside it, which stays one splice', () => {
    const history = branches(undefined, { n: 1 }, [['text', ['m', 'x'], long]], [['set', ['m'], 5]])
    const [verb, ...more] = expectAfter(history, undefined, { n: 1, m: { x: `${long}!` } })
    expect(verb?.[0]).toBe('splice')
    expect(more).toEqual([])
    expect(history.merged().conflicts).toHaveLength(1)
  })

  test('is settled where a set begins anew in place of nothing', () => {
    const history = branches(model, { tags: ['a'] }, [['rem', ['tags'], ['a']]], [['add', ['tags'], ['a']]])
    expect(history.merged().doc).toEqual({})
    expectAfter(history, model, { tags: ['b'] }, true)
  })

  test('is settled below a set', () => {
    const history = branches(model, {}, [['add', ['tags'], ['a']]], [['set', ['tags', 'k'], 1]])
    expectAfter(history, model, { tags: ['a'], version: '1' }, true)
  })

  test('is settled above a map', () => {
    const history = branches(undefined, {}, [['set', ['m', 'x'], 1]], [['set', ['m'], 5]])
    expectAfter(history, undefined, { m: { x: 1 }, n: 1 }, true)
  })

  test('below a map that was written whole, nothing is written apart', () => {
    const history = branches(undefined, {}, [['set', ['m'], { x: 1, y: 2 }, 'reg']])
    expect(expectAfter(history, undefined, { m: { x: 1, y: 3 } })).toEqual([['set', ['m'], { x: 1, y: 3 }]])
  })
})

// Few keys, so that things meet: fields of every way of writing, and unknown ones.
const key = fc.constantFrom('m', 'm', 'tags', 'description', 'modality', 'input', '__proto__')
const scalar: fc.Arbitrary<Scalar> = fc.oneof(
  fc.constantFrom<Scalar>(null, true, 0, 1.5, 'a', '', '😀😁', long, `${long}!`, `😀${long}`, `😁${long}`),
  fc.constant(Uint8Array.of(1, 2)),
)
const { value, doc } = fc.letrec<{ value: Value; doc: Doc }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 4, arbitrary: scalar },
    { weight: 2, arbitrary: fc.array(fc.constantFrom<Scalar>('a', 'b', 'c', 1, null), { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.constantFrom<Value>({}, { Other: 'x' }, [['a']], [{ a: 1 }]) },
    { weight: 3, arbitrary: tie('doc') },
  ),
  doc: fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map(mapOf),
}))
/** By name, so that a failure stays readable. */
const kindName = fc.constantFrom('none', ...Object.keys(kinds))
const path = fc.array(key, { minLength: 1, maxLength: 3 })
const members = fc.uniqueArray(fc.constantFrom<Scalar>('a', 'b', 'c', 1, null), { minLength: 1, maxLength: 3 })
/** What other software, with other tables, may have written. */
const verb: fc.Arbitrary<Verb> = fc.oneof(
  fc.tuple(fc.constant('set' as const), path, value),
  fc.tuple(fc.constant('set' as const), path, value, fc.constant('reg' as const)),
  fc.tuple(fc.constant('del' as const), path),
  fc.tuple(fc.constantFrom('add' as const, 'rem' as const), path, members),
  fc.tuple(fc.constant('text' as const), path, fc.constantFrom('', 'a', long)),
)
type Step = { readonly above: number; readonly w: number; readonly says: readonly Verb[] | Doc }
const step: fc.Arbitrary<Step> = fc.record({
  above: fc.oneof(fc.constant(0), fc.nat()),
  w: fc.integer({ min: -50, max: 50 }),
  says: fc.oneof(fc.array(verb, { minLength: 1, maxLength: 3 }), doc),
})
const steps = fc.array(step, { maxLength: 6 })

/** Each step has seen one earlier op and its past, so that branches meet only in the end. */
function historyOf(kind: Kind | undefined, first: Doc, steps: readonly Step[]): History {
  const history = new History(kind, first)
  for (const { above, w, says } of steps) {
    const parent = history.ops[above % history.ops.length]?.id as string
    const seen = history.merged(history.pastOf(parent))
    const verbs = Array.isArray(says) ? (says as readonly Verb[]) : diff(kind, seen, says as Doc)
    if (verbs.length > 0) history.patch(verbs, [parent], w)
  }
  return history
}

/** A small change of what is there: the n-th place or item taken out, or said otherwise. */
type Edit = { readonly at: number; readonly to: Value | undefined }
const edit: fc.Arbitrary<Edit> = fc.record({ at: fc.nat(), to: fc.option(value, { nil: undefined, freq: 2 }) })
/** What the record should say: something new, or what it says with some edits. */
type Wish = Doc | readonly Edit[]
const wish: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 1, arbitrary: doc },
  { weight: 3, arbitrary: fc.array(edit, { minLength: 1, maxLength: 3 }) },
)

function wished(before: Doc, wish: Wish): Doc {
  if (!Array.isArray(wish)) return wish as Doc
  return (wish as readonly Edit[]).reduce<Doc>((doc, edit) => edited(doc, edit) as Doc, before)
}

function edited(value: Value, { at, to }: Edit): Value | undefined {
  const size = sizeOf(value)
  let n = size === 0 ? 0 : at % size
  if (Array.isArray(value)) return value.flatMap((item, i) => (i !== n ? [item] : to === undefined ? [] : [to]))
  const entries: [string, Value][] = []
  for (const [key, inner] of Object.entries(value as Doc)) {
    const within = sizeOf(inner)
    const changed = n === 0 ? to : n <= within && n > 0 ? edited(inner, { at: n - 1, to }) : inner
    if (changed !== undefined) entries.push([key, changed])
    n -= within + 1
  }
  return mapOf(entries)
}

/** Places and items below a value. */
function sizeOf(value: Value): number {
  if (Array.isArray(value)) return value.length
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0
  return Object.values(value as Doc).reduce<number>((sum, inner) => sum + 1 + sizeOf(inner), 0)
}

function mapOf(entries: readonly (readonly [string, Value])[]): Doc {
  const map: Record<string, Value> = Object.create(null)
  for (const [key, value] of entries) map[key] = value
  return map
}

const runs = Number(process.env['AUTHOR_RUNS'] ?? 1000)

test('the verbs of a diff make the record say exactly what was asked for', () =>
  seeded(({ seed }) => {
    fc.assert(
      fc.property(kindName, doc, steps, wish, fc.boolean(), (name, first, steps, wish, settle) => {
        const kind = kindOf(name)
        const history = historyOf(kind, first, steps)
        const before = history.merged()
        const after = wished(before.doc, wish)
        const verbs = diff(kind, before, after, { settle })
        if (shape(before.doc, []) === shape(after, [])) expect(verbs).toEqual([])
        if (verbs.length === 0) {
          expect(shape(before.doc, before.sets)).toBe(shape(after, before.sets))
          return
        }
        history.patch(verbs)
        const merged = history.merged()
        expect(shape(merged.doc, merged.sets)).toBe(shape(after, merged.sets))
        if (settle) expect(merged.conflicts).toEqual([])
        expect(diff(kind, merged, after)).toEqual([])
      }),
      { seed, numRuns: runs },
    )
  }))

test('the verbs of a merge patch make the record say what the patch says, and settle what it names', () =>
  seeded(({ seed }) => {
    fc.assert(
      fc.property(kindName, doc, steps, doc, (name, first, steps, patch) => {
        const kind = kindOf(name)
        const history = historyOf(kind, first, steps)
        const before = history.merged()
        const after = applyMergePatch(before.doc, patch)
        const verbs = diffMergePatch(kind, before, patch)
        if (verbs.length > 0) history.patch(verbs)
        const merged = history.merged()
        expect(shape(merged.doc, merged.sets)).toBe(shape(after, merged.sets))
        const named = namedBy(patch)
        const places = merged.conflicts.flatMap(({ path, alternatives }) =>
          alternatives.map((side) => side.path ?? path),
        )
        expect(
          places.filter((place) => named.some((path) => startsWith(path, place) || startsWith(place, path))),
        ).toEqual([])
      }),
      { seed, numRuns: runs },
    )
  }))

function startsWith(path: Path, head: Path): boolean {
  return head.every((segment, i) => path[i] === segment)
}
