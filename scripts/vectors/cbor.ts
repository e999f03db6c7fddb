/** Canonical bytes: what each value is written as, and bytes that are refused. */
import { concat, encode, fromHex, toHex, utf8, type Value } from '../../crdt/index.ts'

type Accepted = { comment: string; hex: string; value?: unknown }
type Refused = { comment: string; hex: string; reason: string }

export function cborVectors(): unknown {
  return {
    comment:
      'SPEC.md section 2. `value` is JSON, with {"/": {"bytes": base64}} for bytes; left out where JSON cannot say it.',
    accepted: accepted(),
    refused,
  }
}

function accepted(): Accepted[] {
  const map = (entries: [string, Value][]): Value => Object.assign(Object.create(null), Object.fromEntries(entries))
  const cases: [string, Value, unknown?][] = [
    ['null', null],
    ['false', false],
    ['true', true],
    ['zero', 0],
    ['the last integer in the head itself', 23],
    ['the first integer of 1 byte', 24],
    ['the last integer of 1 byte', 255],
    ['the first integer of 2 bytes', 256],
    ['the first integer of 4 bytes', 65536],
    ['the last integer of 4 bytes', 4294967295],
    ['the first integer of 8 bytes', 4294967296],
    ['2^53 - 1', Number.MAX_SAFE_INTEGER],
    ['minus one', -1],
    ['-24', -24],
    ['-25', -25],
    ['-(2^53 - 1)', Number.MIN_SAFE_INTEGER],
    ['2^53 is whole, and a float', 2 ** 53],
    ['-2^53 is whole, and a float', -(2 ** 53)],
    ['1e300 is whole, and a float', 1e300],
    ['a half takes 8 bytes like every float', 0.5],
    ['1.1', 1.1],
    ['the smallest float', 5e-324],
    ['the largest float', Number.MAX_VALUE],
    ['no text', ''],
    ['text', 'peerage'],
    ['text of 24 bytes', 'a'.repeat(24)],
    ['text of two-, three- and four-byte characters', 'ß水𐅑'],
    ['a byte order mark is a character like any other', '\uFEFFname'],
    ['text that only a zero byte is in', '\0'],
    ['the last character before the surrogates, and the first after', '\uD7FF\uE000'],
    ['the last character', '\u{10FFFF}'],
    ['no bytes', new Uint8Array(0), { '/': { bytes: '' } }],
    ['bytes', Uint8Array.of(1, 2, 255), { '/': { bytes: 'AQL/' } }],
    ['no items', []],
    ['items', [1, [2, 3], 'x', null]],
    ['24 items', Array.from({ length: 24 }, () => 0)],
    ['an empty map', map([])],
    [
      'keys: shorter first, then by bytes',
      map([
        ['b', 1],
        ['a', 2],
        ['aa', 3],
        ['', 4],
      ]),
    ],
    [
      'keys sort by their UTF-8, not by their UTF-16',
      map([
        ['\uFFFF!', 1],
        ['\u{10000}', 2],
      ]),
    ],
    [
      'keys that some languages treat apart',
      map([
        ['__proto__', 1],
        ['constructor', 2],
        ['toString', 3],
      ]),
      JSON.parse('{"__proto__": 1, "constructor": 2, "toString": 3}'),
    ],
    [
      'a map that another codec takes for a link',
      map([
        ['/', 'x'],
        ['bytes', 'x'],
      ]),
    ],
    ['32 lists within one another', nested(32)],
  ]
  return cases.map(([comment, value, json]) => ({ comment, hex: toHex(encode(value)), value: json ?? value }))
}

function nested(depth: number): Value {
  let value: Value = []
  for (let i = 1; i < depth; i++) value = [value]
  return value
}

const deep = (depth: number, last: string): string => `${'81'.repeat(depth - 1)}${last}`
const text = (value: string): string => toHex(concat(Uint8Array.of(0x60 + utf8(value).length), utf8(value)))

const refused: Refused[] = [
  { comment: 'no bytes at all', hex: '', reason: 'truncated' },
  { comment: 'a head without its argument', hex: '18', reason: 'truncated' },
  { comment: 'an argument of 2 bytes cut short', hex: '1901', reason: 'truncated' },
  { comment: 'text shorter than it says', hex: '6361', reason: 'truncated' },
  { comment: 'bytes of 2^63', hex: '5b8000000000000000', reason: 'truncated' },
  { comment: 'a list of 2^32 items in 9 bytes', hex: '9b0000000100000000', reason: 'truncated' },
  { comment: 'a map with a key and no value', hex: 'a16161', reason: 'truncated' },
  { comment: 'a list with an item missing', hex: '8201', reason: 'truncated' },
  { comment: 'a float cut short', hex: 'fb3ff8', reason: 'truncated' },
  { comment: 'two values', hex: '0000', reason: 'trailing-bytes' },
  { comment: 'a zero byte after a map', hex: 'a000', reason: 'trailing-bytes' },
  { comment: '23 in one byte more than it needs', hex: '1817', reason: 'not-minimal' },
  { comment: '255 in 2 bytes', hex: '1900ff', reason: 'not-minimal' },
  { comment: '65535 in 4 bytes', hex: '1a0000ffff', reason: 'not-minimal' },
  { comment: '2^32 - 1 in 8 bytes', hex: '1b00000000ffffffff', reason: 'not-minimal' },
  { comment: '-1 in 1 byte', hex: '3800', reason: 'not-minimal' },
  { comment: 'a length that is not the shortest', hex: '780161', reason: 'not-minimal' },
  { comment: 'an item count that is not the shortest', hex: '980100', reason: 'not-minimal' },
  { comment: '1.0', hex: 'fb3ff0000000000000', reason: 'not-minimal' },
  { comment: '0.0', hex: 'fb0000000000000000', reason: 'not-minimal' },
  { comment: '-0.0', hex: 'fb8000000000000000', reason: 'not-minimal' },
  { comment: '2^53 - 1 as a float', hex: 'fb433fffffffffffff', reason: 'not-minimal' },
  { comment: 'an integer of 2^53', hex: '1b0020000000000000', reason: 'number-range' },
  { comment: 'an integer of 2^53 + 1', hex: '1b0020000000000001', reason: 'number-range' },
  { comment: 'an integer of 2^64 - 1', hex: '1bffffffffffffffff', reason: 'number-range' },
  { comment: 'an integer of -2^53', hex: '3b001fffffffffffff', reason: 'number-range' },
  { comment: 'an integer of -2^64', hex: '3bffffffffffffffff', reason: 'number-range' },
  { comment: 'not a number', hex: 'fb7ff8000000000000', reason: 'number-range' },
  { comment: 'infinity', hex: 'fb7ff0000000000000', reason: 'number-range' },
  { comment: 'minus infinity', hex: 'fbfff0000000000000', reason: 'number-range' },
  { comment: 'a float of 2 bytes', hex: 'f93e00', reason: 'unsupported' },
  { comment: 'a float of 4 bytes', hex: 'fa3fc00000', reason: 'unsupported' },
  { comment: 'undefined', hex: 'f7', reason: 'unsupported' },
  { comment: 'a simple value without a meaning', hex: 'e0', reason: 'unsupported' },
  { comment: 'a simple value of 1 byte', hex: 'f818', reason: 'unsupported' },
  { comment: 'false in two bytes', hex: 'f814', reason: 'unsupported' },
  { comment: 'a tag: a link', hex: 'd82a4100', reason: 'unsupported' },
  { comment: 'a tag: a big number', hex: 'c24101', reason: 'unsupported' },
  { comment: 'a list of no stated length', hex: '9f01ff', reason: 'unsupported' },
  { comment: 'a map of no stated length', hex: 'bfff', reason: 'unsupported' },
  { comment: 'bytes of no stated length', hex: '5f4101ff', reason: 'unsupported' },
  { comment: 'text of no stated length', hex: '7f6161ff', reason: 'unsupported' },
  { comment: 'a break on its own', hex: 'ff', reason: 'unsupported' },
  { comment: 'a head that CBOR reserves', hex: '1c', reason: 'unsupported' },
  { comment: 'text: a byte that never begins a character', hex: '61ff', reason: 'bad-text' },
  { comment: 'text: half of a two-byte character', hex: '61c3', reason: 'bad-text' },
  { comment: 'text: a second byte without a first', hex: '6180', reason: 'bad-text' },
  { comment: 'text: a slash in two bytes', hex: '62c0af', reason: 'bad-text' },
  { comment: 'text: a three-byte form of a two-byte character', hex: '63e09fbf', reason: 'bad-text' },
  { comment: 'text: a four-byte form of a three-byte character', hex: '64f08fbfbf', reason: 'bad-text' },
  { comment: 'text: a surrogate', hex: '63eda080', reason: 'bad-text' },
  { comment: 'text: a pair of surrogates in six bytes', hex: '66eda081edb080', reason: 'bad-text' },
  { comment: 'text: beyond the last character', hex: '64f4908080', reason: 'bad-text' },
  { comment: 'a key that is no text', hex: 'a10102', reason: 'bad-key' },
  { comment: 'a key that is bytes', hex: 'a1416102', reason: 'bad-key' },
  { comment: 'a key that is a map', hex: 'a1a000', reason: 'bad-key' },
  { comment: 'keys out of order', hex: `a2${text('b')}01${text('a')}02`, reason: 'key-order' },
  { comment: 'a longer key before a shorter one', hex: `a2${text('aa')}01${text('b')}02`, reason: 'key-order' },
  { comment: 'a key twice', hex: `a2${text('a')}01${text('a')}01`, reason: 'key-order' },
  { comment: 'an empty key twice', hex: 'a260016002', reason: 'key-order' },
  { comment: 'keys out of order in an inner map', hex: `81a2${text('b')}01${text('a')}02`, reason: 'key-order' },
  { comment: '33 lists within one another', hex: deep(33, '80'), reason: 'too-deep' },
  { comment: '33 containers, the last a map', hex: deep(33, 'a0'), reason: 'too-deep' },
  { comment: '1,000 lists within one another', hex: deep(1000, '80'), reason: 'too-deep' },
]
// Every hex above is whole bytes: a slip in this table must not pass for a refusal.
for (const { hex } of refused) fromHex(hex)
