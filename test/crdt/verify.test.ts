import { createPrivateKey, createPublicKey, verify as opensslVerify, sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  equalBytes,
  fromHex,
  isPlainKey,
  prefilter,
  selfTest,
  toHex,
  type Verify,
  verifySignature,
} from '../../crdt/index.ts'
import { type Json, leftOutNote, othersVectors, ownVectors, vectorsLeftOut } from '../support/vectors.ts'

type Case = { comment: string; valid: boolean; key: string; message: string; signature: string }

/** The machine's own verifier behind the byte checks: what a node uses. */
const native: Verify = (key, message, signature) => {
  if (!prefilter(key, signature)) return false
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key])
  return opensslVerify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature)
}
const backEnds: [string, Verify][] = [
  ['points', verifySignature],
  ['native', native],
]

function wronglyAnswered(verify: Verify, cases: readonly Case[]): string[] {
  return cases
    .filter(
      ({ key, message, signature, valid }) => verify(fromHex(key), fromHex(message), fromHex(signature)) !== valid,
    )
    .map(({ comment }) => comment)
}

const own: Case[] = ownVectors('signature').cases

describe.each(backEnds)('%s', (_, verify) => {
  test('answers our own cases', () => {
    expect(own.filter(({ valid }) => valid).length).toBeGreaterThan(5)
    expect(wronglyAnswered(verify, own)).toEqual([])
  })

  test.skipIf(vectorsLeftOut).each(['wycheproof', 'cctv', 'speccheck', 'rfc8032', 'djb'])(
    `answers every case of %s${leftOutNote}`,
    (name) => {
      const cases = othersCases(name)
      expect(cases.length).toBeGreaterThan(3)
      expect(wronglyAnswered(verify, cases)).toEqual([])
    },
  )

  test('passes the self-test', () => {
    expect(selfTest(verify)).toBeUndefined()
  })

  test('refuses any single-bit change to key, message or signature', () => {
    const { key, message, signature } = own[0] as Case
    const flips = [key, message, signature].map((hex, part) => ({ bytes: fromHex(hex), part }))
    for (const { bytes, part } of flips) {
      for (let bit = 0; bit < bytes.length * 8; bit += 7) {
        const parts = [key, message, signature].map(fromHex) as [Uint8Array, Uint8Array, Uint8Array]
        const changed = parts[part] as Uint8Array
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
        expect(verify(...parts), `bit ${bit} of part ${part}`).toBe(false)
      }
    }
  })

  test('answers bytes of any length', () => {
    for (const keyBytes of [0, 31, 32, 33, 64]) {
      for (const signatureBytes of [0, 1, 63, 64, 65, 128]) {
        for (const fill of [0, 1, 0x7f, 0xff]) {
          const key = new Uint8Array(keyBytes).fill(fill)
          expect(verify(key, new Uint8Array(3), new Uint8Array(signatureBytes).fill(fill))).toBe(false)
        }
      }
    }
  })
})

describe('the self-test', () => {
  test('names the case that a verifier answers wrongly, whichever it is', () => {
    const short = own.filter(({ message }) => message.length < 600)
    expect(short.length).toBeGreaterThanOrEqual(24)
    for (const { comment, key, message, signature } of short) {
      const wrongOnce: Verify = (k, m, s) => {
        const here = [k, m, s].map(toHex).join() === [key, message, signature].join()
        return (
          here !==
          (short.find((c) => [c.key, c.message, c.signature].join() === [k, m, s].map(toHex).join())?.valid ?? false)
        )
      }
      expect(selfTest(wrongOnce)).toContain(comment)
    }
  })

  test('finds a verifier without the byte checks, one that throws, and ones that always say the same', () => {
    expect(selfTest(() => true)).toBeDefined()
    expect(selfTest(() => false)).toBeDefined()
    expect(
      selfTest(() => {
        throw new Error('no such curve')
      }),
    ).toContain('no such curve')
  })
})

test('the byte checks refuse the 8 keys of small order, with either sign and any y of p or more', () => {
  const smallY = [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  ].map(fromHex)
  const tooLarge = Array.from({ length: 19 }, (_, i) =>
    fromHex(`${toHex(Uint8Array.of(0xed + i))}${'ff'.repeat(30)}7f`),
  )
  for (const key of [...smallY, ...tooLarge]) {
    expect(isPlainKey(key), toHex(key)).toBe(false)
    key[31] = (key[31] as number) | 0x80
    expect(isPlainKey(key), toHex(key)).toBe(false)
  }
  expect(isPlainKey(fromHex(`eb${'ff'.repeat(30)}7f`))).toBe(true)
  expect(isPlainKey(fromHex(`ec${'ff'.repeat(29)}fe7f`))).toBe(true)
})

test.skipIf(vectorsLeftOut)(`keys and signatures of RFC 8032 are made as it says${leftOutNote}`, () => {
  for (const { priv, pub, msg, sig } of JSON.parse(othersVectors('ed25519/rfc8032.json')).tests) {
    const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(priv, 'hex')])
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    expect(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')).toBe(pub)
    expect(equalBytes(sign(null, Buffer.from(msg, 'hex'), key), fromHex(sig))).toBe(true)
  }
})

/** The same form for all sources; each says in its own way what is right. */
function othersCases(name: string): Case[] {
  if (name === 'djb') return djbCases()
  const file = { wycheproof: 'wycheproof_ed25519.half', cctv: 'cctv_ed25519.half' }[name] ?? name
  return JSON.parse(othersVectors(`ed25519/${file}.json`)).tests.map((test: Json) => {
    if (name === 'wycheproof')
      return form(`${test.tcId} ${test.comment}`, test.result === 'valid', test.pk, test.msg, test.sig)
    if (name === 'cctv')
      return form(`${test.number}`, test.rule, test.key, Buffer.from(test.msg).toString('hex'), test.sig)
    if (name === 'speccheck') return form(`${test.id}`, test.id === 3, test.pub_key, test.message, test.signature)
    return form('', true, test.pub, test.msg, test.sig)
  })
}

/** Each line is seed and key, key, message, signature and message; with a bit flipped it must be refused. */
function djbCases(): Case[] {
  const lines = othersVectors('ed25519/djb_sign_input.sample.txt').trim().split('\n')
  return lines.flatMap((line, i) => {
    const [, key = '', message = '', both = ''] = line.split(':')
    const signature = both.slice(0, 128)
    const flipped = fromHex(signature)
    flipped[i] = (flipped[i] as number) ^ 1
    return [
      form(`line ${i}`, true, key, message, signature),
      form(`line ${i} changed`, false, key, message, toHex(flipped)),
    ]
  })
}

function form(comment: string, valid: boolean, key: string, message: string, signature: string): Case {
  return { comment, valid, key, message, signature }
}
