import { expect, test } from 'vitest'
import {
  conflictsToJson,
  didToOwner,
  diff,
  type Json,
  type JsonObject,
  type Kind,
  kindOf,
  type Merged,
  opIdToCid,
  RESERVED_FIELDS,
  toJson,
} from '../../crdt/index.ts'
import { History } from '../support/author-history.ts'

const model = kindOf('model') as Kind
const plain = (json: JsonObject) => JSON.parse(JSON.stringify(json)) as Record<string, Json>

test('a record in JSON is its document, and around it what the register says', () => {
  const doc = { name: 'b', version: '1', mine: { deep: [1] } }
  const merged = new History(model, doc).merged()
  const view = plain(toJson(merged, model))
  expect(view).toEqual({
    id: merged.record,
    model_id: merged.record,
    owner_id: expect.stringMatching(/^did:key:z6Mk/),
    kind: model.name,
    slug: 'slug',
    ...doc,
    heads: merged.heads.map(opIdToCid),
    registered_at: merged.registeredAt,
    changed_at: merged.changedAt,
  })
  expect(didToOwner(view['owner_id'] as string)).toBe(merged.owner)
})

test('the name is the slug when the document gives none, and left out when there is neither', () => {
  const merged = new History(model, {}).merged()
  expect(toJson(merged, model)['name']).toBe('slug')
  const { slug: _, ...unnamed } = merged
  expect(Object.keys(toJson(unnamed as Merged, model))).not.toContain('name')
  expect(Object.keys(toJson(unnamed as Merged, model))).not.toContain('slug')
})

test("a document's own field of a reserved name does not stand in for the register's", () => {
  const hidden = { id: 'mine', heads: [], registered_at: 1, conflicts: {}, owner_id: 'me', version: '1' }
  const merged = new History(undefined, hidden).merged()
  const view = toJson(merged, undefined)
  expect(view['id']).toBe(merged.record)
  expect(view['registered_at']).toBe(merged.registeredAt)
  expect(Object.keys(view)).not.toContain('conflicts')
  expect(view['version']).toBe('1')
})

test('a kind without a table, bytes, and a key named __proto__ are shown', () => {
  const doc = Object.assign(Object.create(null), { ['__proto__']: 1, raw: Uint8Array.of(255) })
  const text = JSON.stringify(toJson(new History(undefined, doc).merged(), undefined))
  expect(text).toContain('"__proto__":1')
  expect(text).toContain('"raw":{"/":{"bytes":"/w"}}')
})

test('what does not fit is listed and still there', () => {
  const view = plain(toJson(new History(model, { parameters: 'many', tags: [1] }).merged(), model))
  expect(view['parameters']).toBe('many')
  expect(view['invalid_fields']).toEqual([
    { pointer: '/tags/0', message: 'expected a text, got 1' },
    { pointer: '/parameters', message: 'expected a whole number, got the text "many"' },
  ])
})

test('conflicts are listed by pointer, the shown value first, with who said what and when', () => {
  const history = new History(model, { version: '1', tags: ['a'], cost: { input: 1 } })
  const base = history.merged()
  const older = history.patch(
    [
      ['set', ['version'], '2'],
      ['rem', ['tags'], ['a']],
      ['set', ['cost'], 5],
    ],
    base.heads,
  )
  const newer = history.patch(
    [
      ['set', ['version'], '3'],
      ['add', ['tags'], ['a']],
      ['set', ['cost', 'input'], 2],
    ],
    base.heads,
  )
  const merged = history.merged()
  const view = plain(toJson(merged, model))
  const actor = expect.stringMatching(/^did:key:z6Mk/)
  const by = (op: string) => ({ actor, w: history.ops.find(({ id }) => id === op)?.header.w, op: opIdToCid(op) })
  expect(view['version']).toBe('3')
  expect(view['conflicts']).toEqual({
    '/version': [
      { value: '3', ...by(newer) },
      { value: '2', ...by(older) },
    ],
    '/cost/input': [
      { value: 2, ...by(newer) },
      { value: 5, pointer: '/cost', ...by(older) },
    ],
    '/tags': [
      { value: 'a', member: 'a', ...by(newer) },
      { absent: true, member: 'a', ...by(older) },
    ],
  })
  expect(plain(conflictsToJson(merged.conflicts))).toEqual(view['conflicts'])
  history.patch(diff(model, merged, { version: '3' }, { settle: true }))
  expect(Object.keys(toJson(history.merged(), model))).not.toContain('conflicts')
})

test('the reserved names are those that a body may only repeat', () => {
  expect([...RESERVED_FIELDS].sort()).toEqual(
    [
      ...['id', 'model_id', 'agent_id', 'owner_id', 'kind', 'slug', 'heads'],
      ...['registered_at', 'changed_at', 'conflicts', 'invalid_fields', 'equivocation', 'incomplete'],
    ].sort(),
  )
})
