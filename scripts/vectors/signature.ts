/**
 * Signatures that libraries answer differently, made from seeds: crafted keys and nonces with a part of small order,
 * encodings that are not canonical, and plain ones beside them.
 */
import { Point } from '@noble/ed25519'
import { sha512 } from '@noble/hashes/sha2.js'
import { concat, fromHex, toHex, utf8 } from '../../crdt/index.ts'

export type SignatureCase = { comment: string; valid: boolean; key: string; message: string; signature: string }

const ORDER = Point.CURVE().n
const L = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')
const T8 = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')
const T2 = Point.fromHex('ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f')
const IDENTITY = '01'.padEnd(64, '0')
const WRONG_ZERO = `01${'0'.repeat(60)}80`
const IDENTITY_PLUS_P = `ee${'ff'.repeat(30)}7f`
const ZERO_PLUS_P = `ed${'ff'.repeat(30)}7f`

function scalar(text: string): bigint {
  return number(sha512(utf8(`peerage vectors ${text}`))) % ORDER
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`)
}

function bytes32(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(64, '0')).reverse()
}

function challenge(r: Uint8Array, key: Uint8Array, message: Uint8Array): bigint {
  return number(sha512(concat(r, key, message))) % ORDER
}

const a = scalar('key')
const A = Point.BASE.multiply(a)
const r = scalar('nonce')
const R = Point.BASE.multiply(r)

/** R and S for s = r + k a, over whatever bytes stand for R and A. */
function sign(rBytes: Uint8Array, nonce: bigint, key: Uint8Array, secret: bigint, message: Uint8Array): Uint8Array {
  return concat(rBytes, bytes32((nonce + challenge(rBytes, key, message) * secret) % ORDER))
}

/** The first of a row of messages whose challenge is as wanted. */
function messageWith(rBytes: Uint8Array, key: Uint8Array, wanted: (k: bigint) => boolean): Uint8Array {
  for (let i = 0; ; i++) {
    const message = utf8(`m${i}`)
    if (wanted(challenge(rBytes, key, message))) return message
  }
}

export function signatureVectors(): unknown {
  return { comment: 'SPEC.md section 1. Hex throughout.', cases: signatureCases() }
}

export function signatureCases(): SignatureCase[] {
  const cases: SignatureCase[] = []
  const add = (valid: boolean, comment: string, key: Uint8Array, message: Uint8Array, signature: Uint8Array): void => {
    cases.push({ comment, valid, key: toHex(key), message: toHex(message), signature: toHex(signature) })
  }
  const changed = (bytes: Uint8Array, at: number, bit = 1): Uint8Array => {
    const copy = Uint8Array.from(bytes)
    copy[at] = (copy[at] as number) ^ bit
    return copy
  }
  const key = A.toBytes()
  const rBytes = R.toBytes()
  const message = utf8('peerage')
  const signature = sign(rBytes, r, key, a, message)
  const divisible = (k: bigint) => k % 8n === 0n
  const odd = (k: bigint) => k % 2n === 1n
  const mixedKey = A.add(T8).toBytes()
  const mixedR = R.add(T8).toBytes()

  add(true, 'a plain signature', key, message, signature)
  add(true, 'over no bytes', key, utf8(''), sign(rBytes, r, key, a, utf8('')))
  add(true, 'over 300 bytes', key, new Uint8Array(300), sign(rBytes, r, key, a, new Uint8Array(300)))
  const negated = A.negate().toBytes()
  const negatedR = R.negate().toBytes()
  add(true, 'the other sign bit in A', negated, message, sign(rBytes, r, negated, ORDER - a, message))
  add(true, 'the other sign bit in R', key, message, sign(negatedR, ORDER - r, key, a, message))
  const lucky = messageWith(rBytes, mixedKey, divisible)
  add(
    true,
    'A of mixed order, and k happens to be divisible by 8',
    mixedKey,
    lucky,
    sign(rBytes, r, mixedKey, a, lucky),
  )
  const cancelling = messageWith(mixedR, mixedKey, (k) => k % 8n === 7n)
  add(
    true,
    'A and R of mixed order, and their small parts cancel',
    mixedKey,
    cancelling,
    sign(mixedR, r, mixedKey, a, cancelling),
  )

  add(false, 'a bit of R changed', key, message, changed(signature, 0))
  add(false, 'a bit of S changed', key, message, changed(signature, 32))
  add(false, 'a bit of the message changed', key, changed(message, 0), signature)
  add(false, 'the key of another', Point.BASE.multiply(scalar('other')).toBytes(), message, signature)
  const s = number(signature.subarray(32))
  add(false, 'S + L: the same signature twice', key, message, concat(rBytes, bytes32(s + ORDER)))
  add(false, 'S = L', key, message, concat(rBytes, L))
  add(false, 'a key of 31 bytes', key.subarray(0, 31), message, signature)
  add(false, 'a signature of 63 bytes', key, message, signature.subarray(0, 63))
  add(false, 'a signature of 65 bytes', key, message, concat(signature, Uint8Array.of(0)))
  add(false, 'all zero bytes: A and R of order 4', new Uint8Array(32), message, new Uint8Array(64))
  add(
    false,
    'A is the identity, so that any message holds',
    fromHex(IDENTITY),
    message,
    sign(rBytes, r, key, 0n, message),
  )
  const order8 = T8.toBytes()
  const lucky8 = messageWith(rBytes, order8, divisible)
  add(false, 'A of order 8, and k happens to be divisible by 8', order8, lucky8, concat(rBytes, bytes32(r)))
  add(false, 'A is the identity, written with y + p', fromHex(IDENTITY_PLUS_P), message, concat(rBytes, bytes32(r)))
  add(
    false,
    'A is the identity, written with the sign bit set',
    fromHex(WRONG_ZERO),
    message,
    concat(rBytes, bytes32(r)),
  )
  add(false, 'A with y = p', fromHex(ZERO_PLUS_P), message, concat(rBytes, bytes32(r)))
  const none = fromHex('02'.padEnd(64, '0'))
  add(false, 'A is on no point of the curve', none, message, concat(rBytes, bytes32(r)))
  add(false, 'R is the identity', key, message, sign(fromHex(IDENTITY), 0n, key, a, message))
  add(false, 'R is the identity, written with y + p', key, message, sign(fromHex(IDENTITY_PLUS_P), 0n, key, a, message))
  const halfKey = A.add(T2).toBytes()
  const order2 = T2.toBytes()
  const oddMessage = messageWith(order2, halfKey, odd)
  add(false, 'R of order 2, and the equation holds', halfKey, oddMessage, sign(order2, 0n, halfKey, a, oddMessage))
  const unlucky = messageWith(rBytes, mixedKey, odd)
  add(
    false,
    'A of mixed order: holds only when multiplied by the cofactor',
    mixedKey,
    unlucky,
    sign(rBytes, r, mixedKey, a, unlucky),
  )
  add(
    false,
    'R of mixed order: holds only when multiplied by the cofactor',
    key,
    message,
    sign(mixedR, r, key, a, message),
  )
  return cases
}
