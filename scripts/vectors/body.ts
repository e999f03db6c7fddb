/** Bodies: what an op writes, in order, and what is inert in it or makes it inert. */
import { type Content, encode, fromHex, type Op, readBody, toHex, type Value, type Write } from '../../crdt/index.ts'
import { letterId, toJson } from './json.ts'

const GENESIS = 1
const PUT = 2
const PATCH = 3
const DELETE = 4
const UNKNOWN = 14

export function bodyVectors(): unknown {
  return {
    comment:
      'SPEC.md section 6, and the lists of writes of section 7. `type` as in the header, `body` the bytes. Of the result: `effective`, false when the op is inert; `slug` as the body gives it (whether it counts is not said here); `writes`, each as ["value", path, value], ["absent", path], ["text", path, text], ["member" or "no-member", path, member] or ["splice", path, epoch, at, del, ins]. Values are JSON, with {"/": {"bytes": base64}} for bytes.',
    cases: cases().map(([comment, type, value, writes, slug]) => {
      const body = value instanceof Uint8Array ? value : encode(value)
      const content = readBody({ id: letterId('z'), header: { type } as Op['header'], body })
      const got = { effective: content.effective, ...slugOf(content), writes: content.writes.map(writeJson) }
      const wanted = { effective: writes !== undefined, ...(slug === undefined ? {} : { slug }), writes: writes ?? [] }
      if (JSON.stringify(got) !== JSON.stringify(wanted)) {
        throw new Error(`${comment}\nwanted ${JSON.stringify(wanted)}\ngot    ${JSON.stringify(got)}`)
      }
      return { comment, type, body: toHex(body), ...got }
    }),
  }
}

function slugOf({ slug }: Content): { slug?: string } {
  return slug === undefined ? {} : { slug }
}

export function writeJson(write: Write): unknown {
  switch (write.says) {
    case 'absent':
      return ['absent', write.path]
    case 'value':
      return ['value', write.path, toJson(write.value)]
    case 'text':
      return ['text', write.path, write.text]
    case 'splice':
      return ['splice', write.path, write.epoch, write.at, write.del, write.ins]
    default:
      return [write.says, write.path, toJson(write.member)]
  }
}

/** Comment, type, body (bytes as they are, anything else encoded), writes (undefined: the op is inert), slug. */
type Case = readonly [string, number, Value, (readonly unknown[])[] | undefined, string?]

function map(entries: Record<string, Value>): Value {
  return Object.assign(Object.create(null), entries)
}

function cases(): Case[] {
  const root = ['absent', []]
  const empty = map({ f: [], s: [], t: [] })
  const epoch = letterId('e')
  const deep = (depth: number, value: Value): Value => (depth === 0 ? value : [deep(depth - 1, value)])
  return [
    ['a put that says nothing removes everything', PUT, empty, [root]],
    [
      'f, s and t, in this order whatever the order of their keys in the bytes; a map in f is one value',
      GENESIS,
      map({
        f: [
          [['name'], 'x'],
          [['cost'], map({ input: 1 })],
        ],
        s: [[['tags'], ['b', 'a', 'b']]],
        t: [[['description'], 'words']],
        slug: 'acme/x',
      }),
      [
        root,
        ['value', ['name'], 'x'],
        ['value', ['cost'], { input: 1 }],
        ['member', ['tags'], 'b'],
        ['member', ['tags'], 'a'],
        ['member', ['tags'], 'b'],
        ['text', ['description'], 'words'],
      ],
      'acme/x',
    ],
    [
      'at the empty path a map in f is taken apart',
      PUT,
      map({ f: [[[], map({ a: map({ b: 1 }) })]], s: [], t: [] }),
      [root, root, ['value', ['a', 'b'], 1]],
    ],
    [
      'at the empty path anything but a map is inert, and its neighbours stand',
      PUT,
      map({
        f: [
          [[], 1],
          [['a'], 2],
        ],
        s: [[[], ['m']]],
        t: [[[], 'x']],
      }),
      [root, ['value', ['a'], 2]],
    ],
    [
      'an entry of three parts is inert',
      PUT,
      map({
        f: [
          [['a'], 1, 2],
          [['b'], 1],
        ],
        s: [],
        t: [],
      }),
      [root, ['value', ['b'], 1]],
    ],
    ['an entry that is no array is inert', PUT, map({ f: [7], s: ['x'], t: [null] }), [root]],
    ['a missing key: inert as a whole', PUT, map({ f: [], s: [] }), undefined],
    ['one key more: inert as a whole', PUT, map({ f: [], s: [], t: [], x: [] }), undefined],
    ['f is a map: inert as a whole', PUT, map({ f: map({}), s: [], t: [] }), undefined],
    ['a slug that is no text: inert as a whole', PUT, map({ f: [], s: [], t: [], slug: 1 }), undefined],
    ['an array where a map should be', GENESIS, [], undefined],
    ['a map where an array should be', PATCH, empty, undefined],
    ['no bytes, but in a delete', PATCH, new Uint8Array(), undefined],
    ['bytes that are not canonical: 1 in two bytes', PATCH, fromHex('811801'), undefined],
    ['bytes after the value', PATCH, fromHex('8000'), undefined],
    ['33 containers deep', PATCH, deepBytes(33), undefined],
    ['32 containers deep', PATCH, encode([['set', ['a'], deep(30, 1)]]), [['value', ['a'], deep(30, 1)]]],
    ['a delete has no body', DELETE, new Uint8Array(), []],
    ['a delete with a body is inert', DELETE, empty, undefined],
    ['an unknown type is inert whatever it says', UNKNOWN, [['del', ['a']]], undefined],
    ['a patch without verbs is effective', PATCH, [], []],
    [
      'verbs that are unknown, or no verbs',
      PATCH,
      [['nope', ['a'], 1], 7, [], [['set'], ['a'], 1], ['del', ['a']]],
      [['absent', ['a']]],
    ],
    [
      'set: a number, a list, bytes, null',
      PATCH,
      [
        ['set', ['a'], 0.5],
        ['set', ['a'], [1, [2]]],
        ['set', ['a'], Uint8Array.of(1)],
        ['set', ['a'], null],
      ],
      [
        ['value', ['a'], 0.5],
        ['value', ['a'], [1, [2]]],
        ['value', ['a'], { '/': { bytes: 'AQ' } }],
        ['value', ['a'], null],
      ],
    ],
    [
      'set: a map is absent at its path and then its leaves; an empty map and a list are leaves',
      PATCH,
      [['set', ['a'], map({ y: map({ z: 1 }), x: [1], e: map({}) })]],
      [
        ['absent', ['a']],
        ['value', ['a', 'e'], {}],
        ['value', ['a', 'x'], [1]],
        ['value', ['a', 'y', 'z'], 1],
      ],
    ],
    [
      'leaves in canonical order of keys: shorter first, then by bytes; numbers and __proto__ are keys like others',
      PATCH,
      [['set', ['a'], map({ 10: 1, 9: 2, b: 3, '': 4, é: 5, ['__proto__']: 6, '\u{1f600}': 7, '\uff5ea': 8, zz: 9 })]],
      [
        ['absent', ['a']],
        ['value', ['a', ''], 4],
        ['value', ['a', '9'], 2],
        ['value', ['a', 'b'], 3],
        ['value', ['a', '10'], 1],
        ['value', ['a', 'zz'], 9],
        ['value', ['a', 'é'], 5],
        ['value', ['a', '\uff5ea'], 8],
        ['value', ['a', '\u{1f600}'], 7],
        ['value', ['a', '__proto__'], 6],
      ],
    ],
    ['set of a map as one value', PATCH, [['set', ['a'], map({ b: 1 }), 'reg']], [['value', ['a'], { b: 1 }]]],
    [
      '"reg" or nothing',
      PATCH,
      [
        ['set', ['a'], 1, 'xxx'],
        ['set', ['a'], 1, 'reg', 'reg'],
        ['set', ['a']],
      ],
      [],
    ],
    [
      'set of the root: with and without "reg" the same',
      PATCH,
      [
        ['set', [], map({ a: 1 }), 'reg'],
        ['set', [], map({})],
        ['set', [], [1]],
      ],
      [root, ['value', ['a'], 1], root],
    ],
    [
      'del, also of the root',
      PATCH,
      [
        ['del', ['a', '']],
        ['del', []],
        ['del', ['a'], 1],
      ],
      [['absent', ['a', '']], root],
    ],
    [
      'add and rem',
      PATCH,
      [
        ['add', ['s'], [1, '1', true, null, Uint8Array.of(0)]],
        ['rem', ['s'], []],
        ['rem', ['s'], ['x']],
      ],
      [
        ['member', ['s'], 1],
        ['member', ['s'], '1'],
        ['member', ['s'], true],
        ['member', ['s'], null],
        ['member', ['s'], { '/': { bytes: 'AA' } }],
        ['no-member', ['s'], 'x'],
      ],
    ],
    [
      'a list is no member, and makes its verb inert as a whole',
      PATCH,
      [
        ['add', ['s'], ['a', ['b']]],
        ['add', ['s'], 'a'],
        ['add', [], ['a']],
      ],
      [],
    ],
    [
      'a member of 1,024 bytes, and one of 1,025',
      PATCH,
      [
        ['add', ['s'], ['x'.repeat(1021)]],
        ['add', ['s'], ['y', 'x'.repeat(1022)]],
      ],
      [['member', ['s'], 'x'.repeat(1021)]],
    ],
    [
      'text, and text that is none',
      PATCH,
      [
        ['text', ['t'], ''],
        ['text', ['t'], 5],
        ['text', [], 'x'],
      ],
      [['text', ['t'], '']],
    ],
    [
      'splice',
      PATCH,
      [['splice', ['t'], fromHex(epoch), 0, Number.MAX_SAFE_INTEGER, 'ß']],
      [['splice', ['t'], epoch, 0, Number.MAX_SAFE_INTEGER, 'ß']],
    ],
    [
      'splices with an epoch of 31 bytes, as hex, and with positions that are none',
      PATCH,
      [
        ['splice', ['t'], new Uint8Array(31), 0, 0, 'x'],
        ['splice', ['t'], epoch, 0, 0, 'x'],
        ['splice', ['t'], fromHex(epoch), -1, 0, 'x'],
        ['splice', ['t'], fromHex(epoch), 0, 0.5, 'x'],
        ['splice', ['t'], fromHex(epoch), 0, 2 ** 53, 'x'],
        ['splice', ['t'], fromHex(epoch), 0, 0],
        ['splice', ['t'], fromHex(epoch), 0, 0, 1],
      ],
      [],
    ],
    [
      'paths: 16 segments, 17, 128 bytes, 129, no array, a number in it',
      PATCH,
      [
        ['set', Array(16).fill('p'), 1],
        ['set', Array(17).fill('p'), 1],
        ['set', ['é'.repeat(64)], 1],
        ['set', [`${'é'.repeat(64)}e`], 1],
        ['set', 'a', 1],
        ['set', ['a', 0], 1],
      ],
      [
        ['value', Array(16).fill('p'), 1],
        ['value', ['é'.repeat(64)], 1],
      ],
    ],
    [
      'a leaf with 17 segments makes its whole verb inert',
      PATCH,
      [
        ['set', Array(15).fill('p'), map({ a: 1, b: map({ c: 1 }) })],
        ['set', Array(15).fill('p'), map({ b: map({ c: 1 }) }), 'reg'],
      ],
      [['value', Array(15).fill('p'), { b: { c: 1 } }]],
    ],
    [
      'a key of 129 bytes, at any depth of a value',
      PATCH,
      [
        ['set', ['a'], map({ ['k'.repeat(129)]: 1 })],
        ['set', ['a'], [map({ ['k'.repeat(129)]: 1 })]],
        ['set', ['a'], map({ ['k'.repeat(128)]: 1 }), 'reg'],
      ],
      [['value', ['a'], { ['k'.repeat(128)]: 1 }]],
    ],
    [
      '4,097 items, at any depth of a value',
      PATCH,
      [
        ['set', ['a'], Array(4097).fill(0)],
        ['set', ['a'], [Array(4097).fill(0)], 'reg'],
        ['add', ['s'], Array(4097).fill('m')],
        ['del', ['b']],
      ],
      [['absent', ['b']]],
    ],
    [
      '4,097 verbs: their number is bounded by the body only',
      PATCH,
      Array.from({ length: 4097 }, (_, i) => (i < 4096 ? 0 : ['del', ['a']])),
      [['absent', ['a']]],
    ],
  ]
}

/** [[..[1]..]], which `encode` would not write beyond 32. */
function deepBytes(depth: number): Uint8Array {
  const verb = encode(['set', ['a'], 1])
  const nested = Uint8Array.from([...new Uint8Array(depth - 2).fill(0x81), 1])
  return Uint8Array.from([0x81, ...verb.subarray(0, verb.length - 1), ...nested])
}
