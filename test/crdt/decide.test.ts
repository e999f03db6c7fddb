/** What a document means for a record, on records that several writes, also apart from each other, have made. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  applyMergePatch,
  BODY_BYTES_MAX,
  type Decide,
  type Decision,
  type Doc,
  decideDelete,
  decideMergePatch,
  decideOverlay,
  decideRegister,
  decideReplace,
  draftOp,
  type JsonObject,
  type Kind,
  keyToDid,
  kindOf,
  type Merged,
  merge,
  networkId,
  type Objection,
  type Op,
  ownerOfKey,
  readBody,
  recordId,
  toJson,
} from '../../crdt/index.ts'
import { seeded } from '../support/seed.ts'

const key = '11'.repeat(32)
const net = networkId('test')
const kind = kindOf('agent') as Kind
const id = recordId({ net, owner: ownerOfKey(key), kind: kind.name, slug: 's' })
const target = { kind, id, slug: 's', ownerDid: keyToDid(key) }

/** The op that a decision becomes above these parents. */
function opOf(decision: Decision, parents: readonly string[], w: number): Op {
  if (decision.do === 'nothing' || decision.do === 'refuse') throw new Error(`no op: ${JSON.stringify(decision)}`)
  const { do: type, body } = decision
  const draft =
    type === 'genesis'
      ? ({ type, owner: ownerOfKey(key), kind: kind.name, slug: 's', w, body } as const)
      : ({ type, record: id, parents, w, body } as const)
  const op = draftOp(draft, { net, key })
  expect(readBody(op).effective).toBe(true)
  return op
}

/** A record as replacing it by one document after the other makes it; with `fork`, the last saw only the first. */
function historyOf(docs: readonly unknown[], fork = false): Op[] {
  const ops: Op[] = []
  for (const [w, doc] of docs.entries()) {
    const seen = fork && w === docs.length - 1 ? ops.slice(0, 1) : ops
    const before = recordOf(seen)
    const decision = decideReplace(target, doc as JsonObject, before, { lenient: true })
    if (decision.do !== 'nothing') ops.push(opOf(decision, before?.heads ?? [], w))
  }
  return ops
}

function recordOf(ops: readonly Op[]): Merged | undefined {
  return ops.length === 0 ? undefined : merge(ops)
}

/** The record after a decision on it. */
function after(ops: readonly Op[], decision: Decision): Merged {
  return merge([...ops, opOf(decision, recordOf(ops)?.heads ?? [], ops.length)])
}

const text = fc.constantFrom('', 'a', 'hello world', 'hello wide world', '线')
const document = fc.record(
  {
    name: fc.constantFrom('s', 'N'),
    description: text,
    version: text,
    tags: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }),
    resource_requirements: fc.dictionary(fc.constantFrom('min_vcpus', 'own'), fc.constantFrom(1, 2, null), {
      maxKeys: 2,
    }),
    unknown: fc.constantFrom<unknown>(1, null, { deep: [1, { a: 2 }] }, [], {}),
    downloads: fc.constantFrom<unknown>(1, 'many', 'lots'),
  },
  { requiredKeys: [] },
)
/** What somebody sends: now and then with names that the register keeps for itself. */
const sent = fc
  .tuple(document, fc.constantFrom({}, {}, {}, { heads: ['x'] }, { slug: 's' }, { slug: 'other' }))
  .map(([doc, reserved]) => ({ ...doc, ...reserved }))

type Asked = (doc: Doc, before: Doc) => Doc
const replaced: Asked = (doc, before) => {
  const { name, ...rest } = doc
  // The name is shown as the slug where a document has none, and may be sent back so.
  return name === 's' && !('name' in before) ? rest : doc
}
const decisions: [name: string, decide: Decide, asked: Asked][] = [
  ['register', decideRegister, (doc) => doc],
  ['replace', decideReplace, replaced],
  ['overlay', decideOverlay, (doc, before) => ({ ...before, ...doc })],
  ['merge patch', decideMergePatch, (doc, before) => applyMergePatch(before, doc)],
]

test.each(decisions)(
  'a %s is one op that makes the record say what was asked, and said twice it is nothing',
  async (name, decide, asked) => {
    await seeded((seed) =>
      fc.assert(
        fc.property(
          fc.array(document, { maxLength: 4 }),
          sent,
          fc.boolean(),
          fc.boolean(),
          (docs, json, lenient, fork) => {
            const ops = historyOf(docs, fork)
            const before = recordOf(ops)
            const { slug, ...doc } = json as unknown as JsonObject
            const again = (record: Merged | undefined) => decide(target, json as JsonObject, record, { lenient })
            const decision = again(before)
            if (decision.do === 'refuse') {
              return void expect(mayRefuse(decision, json as JsonObject, before, lenient)).toBe(true)
            }
            const now = decision.do === 'nothing' ? (before as Merged) : after(ops, decision)
            expect(sorted(now.doc)).toEqual(sorted(before === undefined ? doc : asked(doc, before.doc)))
            if (name === 'replace' && decision.do !== 'nothing') expect(now.conflicts).toEqual([])
            expect(again(now)).toEqual(name === 'register' ? { do: 'refuse', why: 'exists' } : { do: 'nothing' })
          },
        ),
        { ...seed, numRuns: 300 },
      ),
    )
  },
)

test('a record sent back as it is shown changes nothing', async () => {
  await seeded((seed) =>
    fc.assert(
      fc.property(fc.array(document, { minLength: 1, maxLength: 4 }), fc.boolean(), (docs, fork) => {
        const before = recordOf(historyOf(docs, fork)) as Merged
        for (const decide of [decideReplace, decideOverlay]) {
          // Overlaid, a name that is shown for want of one is a name given.
          if (decide === decideOverlay && !('name' in before.doc)) continue
          expect(decide(target, toJson(before, kind), before, {})).toEqual({ do: 'nothing' })
        }
      }),
      { ...seed, numRuns: 100 },
    ),
  )
})

/** The reasons there are, told apart from the code that gives them. */
function mayRefuse(objection: Objection, doc: JsonObject, before: Merged | undefined, lenient: boolean): boolean {
  if (objection.why !== 'invalid') return objection.why === (before === undefined ? 'missing' : 'exists')
  return objection.errors.every(({ pointer }) => {
    if (pointer === '/heads') return 'heads' in doc
    if (pointer === '/slug') return doc['slug'] === 'other'
    return pointer === '/downloads' && typeof doc['downloads'] === 'string' && !lenient
  })
}

/** A set has no order. */
function sorted(doc: Doc): Doc {
  return Array.isArray(doc['tags']) ? { ...doc, tags: doc['tags'].toSorted() } : doc
}

test('a deleted record is restored above its tombstone, and only by what may create', () => {
  const ops = historyOf([{ name: 's', version: '1' }])
  const gone = opOf(decideDelete(target, {}, recordOf(ops), {}), (recordOf(ops) as Merged).heads, 1)
  const deleted = merge([...ops, gone])
  expect(deleted.live).toBe(false)
  for (const decide of [decideRegister, decideReplace, decideOverlay]) {
    const decision = decide(target, { version: '2' }, deleted, {})
    expect(decision.do).toBe('put')
    expect(after([...ops, gone], decision)).toMatchObject({ live: true, doc: { version: '2' }, slug: 's' })
  }
  for (const decide of [decideMergePatch, decideDelete]) {
    expect(decide(target, {}, deleted, {})).toEqual({ do: 'refuse', why: 'missing' })
    expect(decide(target, {}, undefined, {})).toEqual({ do: 'refuse', why: 'missing' })
  }
})

test('what was wrong already refuses no change, unless the change touches it', () => {
  const before = recordOf(historyOf([{ name: 's', downloads: 'many', tags: ['a', 1] }]))
  const patch = (json: JsonObject) => decideMergePatch(target, json, before, {})
  expect(patch({ version: '2' }).do).toBe('patch')
  expect(patch({ downloads: 'lots' })).toMatchObject({ why: 'invalid', errors: [{ pointer: '/downloads' }] })
  expect(patch({ tags: ['a', 2] })).toMatchObject({ why: 'invalid', errors: [{ pointer: '/tags/1' }] })
  expect(decideMergePatch(target, { tags: ['a', 2] }, before, { lenient: true }).do).toBe('patch')
})

test('a change is told by its verbs, by the whole document where they take too much, and not at all beyond that', () => {
  const many = (mark: string, texts: number) =>
    Object.fromEntries(Array.from({ length: texts }, (_, n) => [`${mark}-${n}`, 'x'.repeat(155)]))
  const ops = historyOf([{ name: 's', ...many('a', 1500) }])
  const before = recordOf(ops)
  expect(decideReplace(target, { name: 's', ...many('a', 1499) }, before, {}).do).toBe('patch')
  const turned = decideReplace(target, { name: 's', ...many('b', 1500) }, before, {})
  expect(turned.do).toBe('put')
  expect(Object.keys(after(ops, turned).doc)).toHaveLength(1501)
  expect(decideReplace(target, many('b', 2000), before, {})).toEqual({ do: 'refuse', why: 'too-large' })
})

test('a document may fill an op to the last byte', () => {
  const take = (length: number) => decideRegister(target, { name: 'x'.repeat(length) }, undefined, {})
  const small = take(70_000)
  const around = (small.do === 'genesis' ? small.body.length : 0) - 70_000
  expect(take(BODY_BYTES_MAX - around)).toMatchObject({ do: 'genesis', body: { length: BODY_BYTES_MAX } })
  expect(take(BODY_BYTES_MAX - around + 1)).toEqual({ do: 'refuse', why: 'too-large' })
})
