import { expect, test } from 'vitest'
import { readManifest } from '../../src/manifest.ts'

test('reads one YAML document with the line of every field', () => {
  const text = '# mine\nkind: agent\nname: Night shift\n\ntags: [a, b]\nresource_requirements:\n  min_vcpus: 2\n'
  const { entries, unreadable } = readManifest(text, 'agent.yaml')
  expect(unreadable).toEqual([])
  expect(entries).toHaveLength(1)
  const [entry] = entries
  expect(entry).toMatchObject({
    kind: 'agent',
    line: 2,
    doc: { name: 'Night shift', tags: ['a', 'b'], resource_requirements: { min_vcpus: 2 } },
  })
  expect(
    ['/name', '/tags/1', '/resource_requirements/min_vcpus', '/kind', '/nowhere'].map((at) => entry?.lineOf(at)),
  ).toEqual([3, 5, 7, 2, 2])
})

test('reads several documents, lists, and JSON in the same way', () => {
  const names = (text: string, file: string) =>
    readManifest(text, file).entries.map(({ doc, line }) => [doc['name'], line])
  expect(names('name: a\n---\nname: b\n', 'x.yaml')).toEqual([
    ['a', 1],
    ['b', 3],
  ])
  expect(names('- name: a\n- name: b\n', 'x.yml')).toEqual([
    ['a', 1],
    ['b', 2],
  ])
  expect(names('[\n {"name": "a"},\n {"name": "b"}\n]', 'x.json')).toEqual([
    ['a', 2],
    ['b', 3],
  ])
  expect(names('{"name": "a"}', '-')).toEqual([['a', 1]])
  expect(names('{"name": "a"}\n\n{"name": "b"}\n', '-')).toEqual([
    ['a', 1],
    ['b', 3],
  ])
  expect(names('\ufeff{"name": "a"}\n', 'x.jsonl')).toEqual([['a', 1]])
})

test('a bad entry is listed with its line and the rest is read', () => {
  const lines = readManifest('{"name": "a"}\n{"name": \n[1]\n{"kind": 7, "name": "b"}\n{"name": "c"}', 'x.jsonl')
  expect(lines.entries.map(({ doc }) => doc['name'])).toEqual(['a', 'c'])
  expect(lines.unreadable.map(({ line }) => line)).toEqual([2, 3, 4])

  const yaml = readManifest('name: a\n---\nname: b\nname: c\n---\n- name: d\n- just text\n', 'x.yaml')
  expect(yaml.entries.map(({ doc }) => doc['name'])).toEqual(['a', 'd'])
  expect(yaml.unreadable.map(({ line }) => line)).toEqual([4, 7])
})

test('aliases may repeat a block and not multiply it for ever', () => {
  const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c]\n`
  expect(readManifest(bomb, 'x.yaml').unreadable).toHaveLength(1)
})

test('the form of a batch line and a record as exported say the same', () => {
  const doc = { name: 'a', tags: ['b'] }
  const wrapped = readManifest(JSON.stringify({ kind: 'agent', slug: 's', doc }), 'x.json').entries[0]
  expect(wrapped).toMatchObject({ kind: 'agent', slug: 's', doc })
  const record = {
    id: '00',
    owner_id: 'did:key:z',
    kind: 'agent',
    slug: 's',
    ...doc,
    heads: ['b'],
    registered_at: 1,
    changed_at: 1,
  }
  expect(readManifest(JSON.stringify(record), 'x.json').entries[0]).toMatchObject({ kind: 'agent', slug: 's', doc })
  const own = readManifest('kind: agent\nname: a\nid: mine\n', 'x.yaml').entries[0]
  expect(own?.doc).toEqual({ name: 'a', id: 'mine' })
})

test('keys such as __proto__ are keys like any other', () => {
  for (const file of ['x.json', 'x.jsonl']) {
    const { entries } = readManifest('{"name": "a", "__proto__": {"b": 1}}', file)
    expect(Object.keys(entries[0]?.doc ?? {})).toEqual(['name', '__proto__'])
  }
})
