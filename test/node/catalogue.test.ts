import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Kind, kindOf, type Merged, networkId, toJson } from '../../crdt/index.ts'
import { Catalogue, type Written } from '../../node/catalogue.ts'
import { MemoryDisk } from '../../node/disk-memory.ts'
import { machineEnvironment, nativeSuite, signerFromSeed } from '../../node/native.ts'
import { Replica } from '../../node/replica.ts'
import { Verifier } from '../../node/verifier.ts'
import { seeded } from '../support/seed.ts'

const model = kindOf('model') as Kind
const signer = signerFromSeed(new Uint8Array(32).fill(7))
const own = `01${signer.key}`
/** Finding is tested through HTTP, with a real index. */
const noIndex = {
  behind: 0,
  isOutrun: false,
  broken: new Set<string>(),
  waitFor: async () => {},
  search: async () => ({ problem: 'no index here' }),
  fields: async () => ({ fields: [] }),
}

const checker = new Verifier()
let replica: Replica
let catalogue: Catalogue
async function open(withKey: boolean): Promise<Replica> {
  const common = {
    disk: new MemoryDisk(),
    environment: machineEnvironment,
    suite: nativeSuite,
    checker,
    net: networkId('test'),
  }
  const opened = await Replica.open(withKey ? { ...common, signer } : common)
  await opened.ready
  return opened
}
beforeAll(async () => {
  replica = await open(true)
  catalogue = new Catalogue(replica, noIndex)
})
afterAll(async () => {
  await replica[Symbol.asyncDispose]()
  await checker[Symbol.asyncDispose]()
})

function done(written: Written): Merged {
  if (written.outcome === 'refused') throw new Error(`refused: ${written.message}`)
  return written.record
}

test('registers, changes, deletes and restores, with a word for each', async () => {
  const created = await catalogue.register(model, { name: 'words', license: 'MIT' })
  expect(created.outcome).toBe('created')
  const { record: id } = done(created)
  const place = { kind: 'model', id }
  expect(await catalogue.register(model, { name: 'words' })).toMatchObject({ outcome: 'refused', code: 'exists', id })
  expect((await catalogue.mergePatch(place, { license: 'MIT' })).outcome).toBe('unchanged')
  expect((await catalogue.mergePatch(place, { license: 'GPL-3.0' })).outcome).toBe('changed')
  expect((await catalogue.replace(place, { name: 'words', license: 'GPL-3.0' })).outcome).toBe('unchanged')
  expect((await catalogue.remove(place)).outcome).toBe('removed')
  expect(await catalogue.remove(place)).toMatchObject({ code: 'not-found', deleted: true })
  expect(await catalogue.read(place)).toMatchObject({ code: 'not-found', deleted: true })
  expect((await catalogue.register(model, { name: 'words' })).outcome).toBe('created')
  const history = await catalogue.history(place, { limit: 10 })
  if (history.outcome === 'refused') throw new Error(history.message)
  expect(history.items.map((op) => op.header.type)).toEqual([2, 4, 3, 1])
})

test('replace brings a deleted record back, by id too', async () => {
  const { record: id } = done(await catalogue.register(model, { name: 'back', license: 'MIT' }))
  const place = { kind: 'model', id }
  await catalogue.remove(place)
  const again = await catalogue.replace(place, { name: 'back' })
  expect(again.outcome).toBe('created')
  expect(done(again).doc).toEqual({ name: 'back' })
})

test('refuses what a caller may not write, or what is not there', async () => {
  const unknown = { kind: 'model', id: 'ab'.repeat(32) }
  expect(await catalogue.mergePatch(unknown, {})).toMatchObject({ code: 'not-found' })
  expect(await catalogue.replace(unknown, {})).toMatchObject({ code: 'not-found' })
  expect(await catalogue.remove({ kind: 'model', owner: own, slug: 'never' })).toMatchObject({ code: 'not-found' })
  expect(await catalogue.replace({ kind: 'model', owner: `01${'00'.repeat(32)}`, slug: 'x' }, {})).toMatchObject({
    code: 'not-owner',
  })
  expect(await catalogue.replace({ kind: 'spaceship', owner: own, slug: 'x' }, {})).toMatchObject({ code: 'not-found' })
})

test('a node without a key reads and refuses every write', async () => {
  await using keyless = await open(false)
  const reader = new Catalogue(keyless, noIndex)
  const place = { kind: 'model', id: 'ab'.repeat(32) }
  expect(await reader.register(model, { name: 'x' })).toMatchObject({ code: 'read-only' })
  expect(await reader.replace(place, {})).toMatchObject({ code: 'read-only' })
  expect(await reader.mergePatch(place, {})).toMatchObject({ code: 'read-only' })
  expect(await reader.remove(place)).toMatchObject({ code: 'read-only' })
  expect(await reader.batch([{ kind: 'model', doc: { name: 'x' } }])).toMatchObject([
    { outcome: 'refused', refusal: { code: 'read-only' } },
  ])
})

test('asks `when` inside the writer: of many with one condition, one goes through', async () => {
  const { record: id, heads } = done(await catalogue.register(model, { name: 'when' }))
  const seen = heads.join()
  const when = (now: Merged | undefined) => now?.heads.join() === seen
  const writes = Array.from({ length: 50 }, (_, n) =>
    catalogue.mergePatch({ kind: 'model', id }, { context_length: n }, { when }),
  )
  const outcomes = (await Promise.all(writes)).map((written) => written.outcome)
  expect(outcomes.filter((outcome) => outcome === 'changed')).toHaveLength(1)
  const registers = Array.from({ length: 20 }, (_, n) => catalogue.register(model, { name: 'once', context_length: n }))
  const created = (await Promise.all(registers)).filter((written) => written.outcome === 'created')
  expect(created).toHaveLength(1)
})

test('a change of nearly everything is written as a whole document when its verbs would not fit', async () => {
  const texts = (mark: string) =>
    Object.fromEntries(Array.from({ length: 1500 }, (_, n) => [`${mark}-${n}`, 'x'.repeat(140)]))
  const { record: id } = done(await catalogue.register(model, { name: 'turnover', ...texts('a') }))
  const changed = await catalogue.replace({ kind: 'model', id }, { name: 'turnover', ...texts('b') })
  expect(changed.outcome).toBe('changed')
  expect(Object.keys(done(changed).doc)).toHaveLength(1501)
})

test('what was read can be sent back: nothing changes, whatever the document', async () => {
  const key = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom('name', 'tags', 'description', '__proto__', 'cost', 'frameworks', 'heads2'),
  )
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string({ unit: 'grapheme', maxLength: 12 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    ),
  }))
  const document = fc.dictionary(key, value, { maxKeys: 6 })
  let n = 0
  await seeded(({ seed }) =>
    fc.assert(
      fc.asyncProperty(document, document, async (first, second) => {
        n++
        const slug = `sent-back-${n}`
        const created = await catalogue.register(model, { slug, ...first }, { lenient: true })
        // Infinity, a number too large to be exact: not a document.
        if (created.outcome === 'refused') return void expect(created.code).toBe('invalid')
        const place = { kind: 'model', id: created.record.record }
        const shown = JSON.parse(JSON.stringify(toJson(created.record, model)))
        expect(await catalogue.replace(place, shown)).toMatchObject({ outcome: 'unchanged' })
        const changed = await catalogue.replace(place, second, { lenient: true })
        if (changed.outcome === 'refused') return void expect(changed.code).toBe('invalid')
        const after = JSON.parse(JSON.stringify(toJson(done(changed), model)))
        expect(await catalogue.replace(place, after)).toMatchObject({ outcome: 'unchanged' })
      }),
      { seed, numRuns: 150 },
    ),
  )
})
