import { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import {
  cidToOpId,
  encode,
  isKind,
  isSlug,
  networkId,
  opIdToCid,
  recordId,
  slugOf,
  toHex,
  utf8,
} from '../../crdt/index.ts'
import { ownVectors } from '../support/vectors.ts'

type Name = { net: string; owner: string; kind: string; slug: string }
const vectors: {
  networks: { comment: string; name: string; id: string }[]
  refusedNetworks: { comment: string; name: string }[]
  records: ({ comment: string; id: string } & Name)[]
  kinds: { comment: string; kind: string; valid: boolean }[]
  slugs: { comment: string; slug: string; valid: boolean }[]
  ops: { comment: string; id: string; cid: string }[]
  refusedCids: { comment: string; cid: string }[]
} = ownVectors('op')

describe('networks', () => {
  test.each(vectors.networks)('$name: $comment', ({ name, id }) => {
    expect(networkId(name)).toBe(id)
  })

  test.each(vectors.refusedNetworks)('refuses $comment', ({ name }) => {
    expect(() => networkId(name)).toThrow(RangeError)
  })

  test('salts make networks of one name distinct, and a salt of zeroes is none', () => {
    expect(networkId(`lab#${'0'.repeat(32)}`)).toBe(networkId('lab'))
    expect(networkId(`lab#${'0'.repeat(31)}1`)).not.toBe(networkId('lab'))
  })
})

describe('records', () => {
  test.each(vectors.records)('$comment', ({ comment: _, id, ...name }) => {
    expect(recordId(name)).toBe(id)
  })

  test('are named by the hash of the slug as well as by the slug', () => {
    const { net, owner, kind } = vectors.records[0] as Name
    const slugHash = '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881'
    expect(recordId({ net, owner, kind, slugHash })).toBe(recordId({ net, owner, kind, slug: 'x' }))
  })
})

describe('kinds and slugs', () => {
  test.each(vectors.kinds)('kind: $comment', ({ kind, valid }) => {
    expect(isKind(kind)).toBe(valid)
  })

  test.each(vectors.slugs)('slug: $comment', ({ slug, valid }) => {
    expect(isSlug(slug)).toBe(valid)
  })

  test.each(vectors.slugs)('a body tells a slug iff it is one: $comment', ({ slug, valid }) => {
    const told = slugOf(encode({ slug }))
    expect(told && toHex(told)).toBe(valid ? toHex(utf8(slug)) : undefined)
  })

  test('a lone surrogate is in no slug', () => {
    expect(isSlug('a\ud800')).toBe(false)
  })
})

describe('op ids as CIDs', () => {
  test.each(vectors.ops)('$comment', ({ id, cid }) => {
    expect(opIdToCid(id)).toBe(cid)
    expect(cidToOpId(cid)).toBe(id)
    const parsed = CID.parse(cid)
    expect([parsed.version, parsed.code, parsed.multihash.code]).toEqual([1, 0x71, 0x12])
    expect(toHex(parsed.multihash.digest)).toBe(id)
  })

  test.each(vectors.refusedCids)('refuses $comment', ({ cid }) => {
    expect(cidToOpId(cid)).toBeUndefined()
  })
})
