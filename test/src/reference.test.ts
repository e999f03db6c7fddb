import { expect, test } from 'vitest'
import { kinds } from '../../crdt/index.ts'
import { parseReference } from '../../src/reference.ts'

const id = 'ab'.repeat(32)
const did = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'
const kind = kinds['agent']

test.each([
  [id, { form: 'id', id }],
  [id.toUpperCase(), { form: 'id', id }],
  [`agents/${id}`, { form: 'id', id, kind }],
  [`agent/${id}`, { form: 'id', id, kind }],
  ['agents/night-shift', { form: 'name', kind, slug: 'night-shift' }],
  ['agent/openai/gpt: 4 @ home', { form: 'name', kind, slug: 'openai/gpt: 4 @ home' }],
  [`http://127.0.0.1:7070/v1/agents/${id}`, { form: 'id', id, kind }],
  [`https://example.org/agents/${id}/`, { form: 'id', id, kind }],
  [`agents/slug:${id}`, { form: 'name', kind, slug: id }],
  ['agents/slug:did:key:z6Mk', { form: 'name', kind, slug: 'did:key:z6Mk' }],
])('reads %s', (text, wanted) => {
  expect(parseReference(text)).toEqual(wanted)
})

test('reads an owner, plain and in a URL with the slug percent-encoded', () => {
  const owned = parseReference(`agents/${did}/a/b c`)
  expect(owned).toMatchObject({ form: 'name', slug: 'a/b c', owner: expect.stringMatching(/^01[0-9a-f]{64}$/) })
  expect(parseReference(`http://h/v1/agents/${encodeURIComponent(did)}/a%2Fb%20c`)).toEqual(owned)
  expect(parseReference(`http://h/v1/agents/${did}/a%2Fb%20c`)).toEqual(owned)
})

test.each([
  '',
  'night-shift',
  'agents',
  'agents/',
  'agents/ ',
  'nokind/x',
  `agents/${did}`,
  'agents/did:key:zWrong/x',
  'http://',
  `agents/${'x'.repeat(257)}`,
  '__proto__/x',
  'constructor/x',
])('refuses %j', (text) => {
  expect(parseReference(text)).toBeUndefined()
})
