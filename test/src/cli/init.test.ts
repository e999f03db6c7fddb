import { expect, test } from 'vitest'
import { fromJson, kinds, validate } from '../../../crdt/index.ts'
import { manifestOf } from '../../../src/cli/init.ts'
import { readManifest } from '../../../src/manifest.ts'

test.each(Object.values(kinds))('the manifest of a $name is publishable as it stands', (kind) => {
  const { entries, unreadable } = readManifest(manifestOf(kind), 'x.yaml')
  expect(unreadable).toEqual([])
  expect(entries.map(({ kind: name, doc }) => [name, Object.keys(doc)])).toEqual([[kind.name, ['name']]])
})

test.each(Object.values(kinds))('the commented fields of a $name fit its table when they are taken in', (kind) => {
  const text = manifestOf(kind)
    .split('\n')
    .map((line) => line.replace(/^# (?=( *)[a-z0-9_]+:( |$))/, ''))
    .filter((line) => !line.startsWith('#') && !line.startsWith('slug:') && !line.startsWith('Publish'))
    .join('\n')
  const { entries, unreadable } = readManifest(text, 'x.yaml')
  expect(unreadable).toEqual([])
  const doc = entries[0]?.doc ?? {}
  expect(Object.keys(doc).sort()).toEqual(Object.keys(kind.fields).sort())
  const read = fromJson(doc)
  expect(read.ok && validate(kind, read.value)).toEqual([])
})
