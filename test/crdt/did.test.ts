import { createPrivateKey, createPublicKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { DIDS_KEPT_MAX, didToKey, didToOwner, keyToDid, ownerToDid } from '../../crdt/index.ts'
import { leftOutNote, othersVectors, ownVectors, vectorsLeftOut } from '../support/vectors.ts'

const vectors: {
  keys: { comment: string; key: string; did: string }[]
  owners: { comment: string; owner: string; did: string }[]
  refusedDids: { comment: string; did: string }[]
} = ownVectors('op')

test.each(vectors.keys)('$comment', ({ key, did }) => {
  expect(keyToDid(key)).toBe(did)
  expect(didToKey(did)).toBe(key)
  expect(didToOwner(did)).toBe(`01${key}`)
})

test.each(vectors.owners)('an owner: $comment', ({ owner, did }) => {
  expect(ownerToDid(owner)).toBe(did)
  expect(didToOwner(did)).toBe(owner)
})

test('each of more keys than are kept has its own, and the same again', () => {
  const keys = Array.from({ length: DIDS_KEPT_MAX + 10 }, (_, i) => i.toString(16).padStart(64, '0'))
  const dids = keys.map(keyToDid)
  expect(new Set(dids).size).toBe(keys.length)
  expect(keys.map(keyToDid)).toEqual(dids)
  expect(dids.map(didToKey)).toEqual(keys)
})

describe('refuses', () => {
  test.each(vectors.refusedDids)('$comment', ({ did }) => {
    expect(didToKey(did)).toBeUndefined()
    expect(didToOwner(did)).toBeUndefined()
  })

  test('an identity where a key is asked for', () => {
    expect(didToKey(`did:peerage:${'ab'.repeat(32)}`)).toBeUndefined()
  })

  test('a key that is none, also when it was asked for before', () => {
    for (let i = 0; i < 2; i++) expect(() => keyToDid('xy'.repeat(32))).toThrow(RangeError)
  })

  test('text of any length, at once', () => {
    expect(didToKey(`did:key:z6Mk${'z'.repeat(10_000_000)}`)).toBeUndefined()
  })
})

test.skipIf(vectorsLeftOut)(`names the keys of the did:key specification${leftOutNote}`, () => {
  const cases = JSON.parse(othersVectors('did-key/ed25519.json')).vectors
  expect(cases.length).toBeGreaterThan(0)
  for (const { did, seed, publicKeyHex } of cases) {
    const der = Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex')
    const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
    expect(key.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')).toBe(publicKeyHex)
    expect(keyToDid(publicKeyHex)).toBe(did)
    expect(didToKey(did)).toBe(publicKeyHex)
  }
})
