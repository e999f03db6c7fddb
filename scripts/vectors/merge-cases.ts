/** The cases of merge.json. Ops are called by letters, which are in the order of their ids. */
import { encode, type Verb } from '../../crdt/index.ts'
import { letterId } from './json.ts'
import type { MergeCase } from './merge.ts'

const a = ['a']
const ab = ['a', 'b']
const tags = ['tags']
const text = ['text']

function splice(epoch: string, at: number, del: number, ins: string, path: readonly string[] = text): Verb {
  return ['splice', path, letterId(epoch), at, del, ins]
}

export const mergeCases: readonly MergeCase[] = [
  // One line.
  {
    comment: 'a genesis alone',
    ops: { a: ['genesis', '', { f: [[['name'], 'x']], s: [[tags, ['z', 'yy', 1]]], t: [[text, 'words']] }] },
    heads: 'a',
    doc: { name: 'x', tags: [1, 'z', 'yy'], text: 'words' },
  },
  {
    comment: 'set, add, rem and splice on a line; set of a map removes what was there and writes leaf by leaf',
    ops: {
      a: [
        'genesis',
        '',
        {
          f: [
            [['name'], 'x'],
            [['a', 'old'], 1],
          ],
          s: [[tags, ['x', 'y']]],
          t: [[text, 'words']],
        },
      ],
      b: [
        'patch',
        'a',
        [
          ['set', ['name'], 'y'],
          ['set', a, { b: 1, c: [2] }],
          ['add', tags, ['z']],
          ['rem', tags, ['x', 'w']],
        ],
      ],
      c: ['patch', 'b', [splice('a', 0, 1, 'W'), splice('a', 5, 0, '!'), ['set', ab, 3]]],
    },
    heads: 'c',
    doc: { name: 'y', a: { b: 3, c: [2] }, tags: ['y', 'z'], text: 'Words!' },
  },
  {
    comment: 'a map written whole: an absence below it does not cover it',
    ops: { a: ['genesis', '', { f: [[a, { b: 1, d: 2 }]] }], b: ['patch', 'a', [['del', ab]]] },
    heads: 'b',
    doc: { a: { b: 1, d: 2 } },
  },
  {
    comment: 'a map written whole: a value below it replaces all of it',
    ops: { a: ['genesis', '', { f: [[a, { b: 1, d: 2 }]] }], b: ['patch', 'a', [['set', ['a', 'c'], 1]]] },
    heads: 'b',
    doc: { a: { c: 1 } },
  },
  {
    comment: 'a covered write still covers: the whole map does not come back when the value below it goes',
    ops: {
      a: ['genesis', '', { f: [[a, { b: 1 }]] }],
      b: ['patch', 'a', [['set', ab, 2]]],
      c: ['patch', 'b', [['del', ab]]],
    },
    heads: 'c',
    doc: {},
  },
  {
    comment: 'a map leaf by leaf: its last leaf takes it along; an empty map written as such stays',
    ops: {
      a: [
        'genesis',
        '',
        {
          f: [
            [ab, 1],
            [['e'], {}],
          ],
        },
      ],
      b: [
        'patch',
        'a',
        [
          ['del', ab],
          ['del', ['e', 'x']],
        ],
      ],
    },
    heads: 'b',
    doc: { e: {} },
  },
  {
    comment: 'a member above a list written whole replaces it; removing one leaves it',
    ops: {
      a: [
        'genesis',
        '',
        {
          f: [
            [tags, ['x']],
            [['more'], ['x']],
          ],
        },
      ],
      b: [
        'patch',
        'a',
        [
          ['add', tags, ['y']],
          ['rem', ['more'], ['x']],
        ],
      ],
    },
    heads: 'b',
    doc: { tags: ['y'], more: ['x'] },
  },
  {
    comment: 'a member and a write below its path cannot both be: the later one stands, an absence covers neither',
    ops: {
      a: [
        'genesis',
        '',
        {
          s: [
            [a, ['m']],
            [['c'], ['m']],
          ],
        },
      ],
      b: [
        'patch',
        'a',
        [
          ['del', ab],
          ['set', ['c', 'x'], 1],
        ],
      ],
      c: ['patch', 'b', [['rem', ['c'], ['m']]]],
    },
    heads: 'c',
    doc: { a: ['m'], c: { x: 1 } },
  },
  {
    comment:
      'members are told apart by canonical bytes and listed by them: numbers, negatives, bytes, texts by length, then booleans and null, fractions',
    ops: {
      a: [
        'genesis',
        '',
        { s: [[tags, [null, true, 'b', 'é', 'aa', '1', Uint8Array.of(1), -1, 1, 24, 0.5, false, 1]]] },
      ],
    },
    heads: 'a',
    doc: { tags: [1, 24, -1, Uint8Array.of(1), '1', 'b', 'aa', 'é', false, true, null, 0.5] },
  },
  {
    comment: 'keys that look like numbers, and __proto__, are keys like others',
    ops: {
      a: [
        'genesis',
        '',
        {
          f: [
            [['10'], 1],
            [['9'], 2],
            [['__proto__', 'x'], 3],
          ],
        },
      ],
    },
    heads: 'a',
    doc: JSON.parse('{"9": 2, "10": 1, "__proto__": {"x": 3}}'),
  },
  {
    comment:
      'inert verbs leave their neighbours; an unknown type and a patch that does not decode are heads and no more',
    ops: {
      a: ['genesis', '', { f: [[a, 1]] }],
      b: [
        'patch',
        'a',
        encode([
          ['nope', a],
          ['set', [], 5],
          ['set', ['b'], 2],
        ]),
      ],
      c: ['unknown', 'b', encode([['del', []]])],
      d: ['patch', 'b', Uint8Array.of(0xff)],
    },
    heads: 'cd',
    doc: { a: 1, b: 2 },
  },
  {
    comment: 'a put with empty lists is no delete: live, and empty',
    ops: { a: ['genesis', '', { f: [[a, 1]] }], b: ['put', 'a', {}] },
    heads: 'b',
    doc: {},
  },
  {
    comment: 'a genesis whose body is inert: the record is there and not live',
    ops: { a: ['genesis', '', Uint8Array.of(0xff)] },
    heads: 'a',
  },
  {
    comment: 'a put above a genesis whose body is inert makes the record live',
    ops: { a: ['genesis', '', Uint8Array.of(0xff)], b: ['put', 'a', { f: [[a, 1]] }] },
    heads: 'b',
    doc: { a: 1 },
  },

  // Branches: registers.
  {
    comment: 'different fields, concurrent: both',
    ops: { a: ['genesis', ''], b: ['patch', 'a', [['set', a, 1]]], c: ['patch', 'a', [['set', ['c'], 2]]] },
    heads: 'bc',
    doc: { a: 1, c: 2 },
  },
  {
    comment: 'the same field, concurrent: the larger w is shown, the other kept',
    ops: { a: ['genesis', ''], b: ['patch', 'a', [['set', a, 1]], 5], c: ['patch', 'a', [['set', a, 2]], 6] },
    heads: 'bc',
    doc: { a: 2 },
    conflicts: [[a, ['c', 2], ['b', 1]]],
  },
  {
    comment: 'equal w: the smaller op id is shown',
    ops: { a: ['genesis', ''], b: ['patch', 'a', [['set', a, 1]], 5], c: ['patch', 'a', [['set', a, 2]], 5] },
    heads: 'bc',
    doc: { a: 1 },
    conflicts: [[a, ['b', 1], ['c', 2]]],
  },
  {
    comment: 'a clock decides between concurrent writes only: what has seen another covers it, whatever its w',
    ops: { a: ['genesis', '', { f: [[a, 1]] }, 9], b: ['patch', 'a', [['set', a, 2]], 1] },
    heads: 'b',
    doc: { a: 2 },
  },
  {
    comment: 'equal values are no conflict, and nor are equal absences',
    ops: {
      a: ['genesis', '', { f: [[['c'], 1]] }],
      b: [
        'patch',
        'a',
        [
          ['set', a, [1, { x: 0.5 }]],
          ['del', ['c']],
        ],
        5,
      ],
      c: [
        'patch',
        'a',
        [
          ['set', a, [1, { x: 0.5 }]],
          ['del', ['c']],
        ],
        6,
      ],
    },
    heads: 'bc',
    doc: { a: [1, { x: 0.5 }] },
  },
  {
    comment: 'of three, two equal, the single one first: both equal ones are listed',
    ops: {
      a: ['genesis', ''],
      b: ['patch', 'a', [['set', a, 1]], 1],
      c: ['patch', 'a', [['set', a, 2]], 3],
      d: ['patch', 'a', [['set', a, 1]], 2],
    },
    heads: 'bcd',
    doc: { a: 2 },
    conflicts: [[a, ['c', 2], ['d', 1], ['b', 1]]],
  },
  {
    comment: 'of three, two equal, one of these first: the single one is listed',
    ops: {
      a: ['genesis', ''],
      b: ['patch', 'a', [['set', a, 1]], 3],
      c: ['patch', 'a', [['set', a, 2]], 2],
      d: ['patch', 'a', [['set', a, 1]], 1],
    },
    heads: 'bcd',
    doc: { a: 1 },
    conflicts: [[a, ['b', 1], ['c', 2]]],
  },
  {
    comment: 'a write that has seen both settles a conflict, and may say the value that was shown',
    ops: {
      a: ['genesis', ''],
      b: ['patch', 'a', [['set', a, 1]], 5],
      c: ['patch', 'a', [['set', a, 2]], 6],
      d: ['patch', 'bc', [['set', a, 2]]],
    },
    heads: 'd',
    doc: { a: 2 },
  },
  {
    comment: 'a write that has seen one of two: the other stays',
    ops: {
      a: ['genesis', ''],
      b: ['patch', 'a', [['set', a, 1]], 5],
      c: ['patch', 'a', [['set', a, 2]], 6],
      d: ['patch', 'b', [['set', a, 3]], 1],
    },
    heads: 'cd',
    doc: { a: 2 },
    conflicts: [[a, ['c', 2], ['d', 3]]],
  },
  {
    comment: 'a redundant parent says nothing new; an empty patch joins heads and settles nothing',
    ops: {
      a: ['genesis', ''],
      b: ['patch', 'a', [['set', a, 1]], 5],
      c: ['patch', 'a', [['set', a, 2]], 6],
      d: ['patch', 'abc', []],
    },
    heads: 'd',
    doc: { a: 2 },
    conflicts: [[a, ['c', 2], ['b', 1]]],
  },
  {
    comment: 'a value and an absence, concurrent: one place, so that one is shown and the other its alternative',
    ops: {
      a: [
        'genesis',
        '',
        {
          f: [
            [a, 1],
            [['c'], 1],
          ],
        },
      ],
      b: [
        'patch',
        'a',
        [
          ['del', a],
          ['set', ['c'], 2],
        ],
        6,
      ],
      c: [
        'patch',
        'a',
        [
          ['set', a, 2],
          ['del', ['c']],
        ],
        5,
      ],
    },
    heads: 'bc',
    doc: { c: 2 },
    conflicts: [
      [a, ['b'], ['c', 2]],
      [['c'], ['b', 2], ['c']],
    ],
  },
  {
    comment: 'an absence competes at its own place only: a concurrent value below it is shown',
    ops: {
      a: [
        'genesis',
        '',
        {
          f: [
            [ab, 1],
            [['a', 'c'], 1],
          ],
        },
      ],
      b: ['patch', 'a', [['del', a]], 6],
      c: ['patch', 'a', [['set', ab, 2]], 5],
    },
    heads: 'bc',
    doc: { a: { b: 2 } },
  },
  {
    comment: 'a put that leaves a field out and a concurrent patch that sets it: the field stays, no conflict',
    ops: {
      a: [
        'genesis',
        '',
        {
          f: [
            [a, 1],
            [['c'], 1],
          ],
        },
      ],
      b: ['put', 'a', { f: [[['c'], 2]] }, 6],
      c: ['patch', 'a', [['set', a, 2]], 5],
    },
    heads: 'bc',
    doc: { a: 2, c: 2 },
  },
  {
    comment: 'two geneses are concurrent ops like any others',
    ops: {
      a: [
        'genesis',
        '',
        {
          f: [
            [a, 1],
            [['c'], 1],
          ],
        },
        5,
      ],
      b: [
        'genesis',
        '',
        {
          f: [
            [a, 2],
            [['d'], 1],
          ],
        },
        6,
      ],
    },
    heads: 'ab',
    doc: { a: 2, c: 1, d: 1 },
    conflicts: [[a, ['b', 2], ['a', 1]]],
  },

  // Branches: values above and below one another.
  {
    comment: 'a whole map first, leaves below it behind it, each with its path; of one op the later leaf comes first',
    ops: {
      a: ['genesis', ''],
      b: ['patch', 'a', [['set', a, { x: 1 }, 'reg']], 6],
      c: ['patch', 'a', [['set', a, { b: 2, c: { d: 3 } }]], 5],
    },
    heads: 'bc',
    doc: { a: { x: 1 } },
    conflicts: [[a, ['b', { x: 1 }], ['c', 3, { p: ['a', 'c', 'd'] }], ['c', 2, { p: ab }]]],
  },
  {
    comment: 'leaves first: the map stands once, behind the first of them in sort order',
    ops: {
      a: ['genesis', ''],
      b: ['patch', 'a', [['set', a, { x: 1 }, 'reg']], 5],
      c: [
        'patch',
        'a',
        [
          ['set', ab, 2],
          ['set', ['a', 'c'], 3],
        ],
        6,
      ],
    },
    heads: 'bc',
    doc: { a: { b: 2, c: 3 } },
    conflicts: [
      [
        ['a', 'c'],
        ['c', 3],
        ['b', { x: 1 }, { p: a }],
      ],
    ],
  },
  {
    comment: 'a value that is no map, and leaves below it',
    ops: { a: ['genesis', ''], b: ['patch', 'a', [['set', a, 1]], 6], c: ['patch', 'a', [['set', ab, 2]], 5] },
    heads: 'bc',
    doc: { a: 1 },
    conflicts: [[a, ['b', 1], ['c', 2, { p: ab }]]],
  },
  {
    comment: 'conflicts are listed by path: fewer segments first, then shorter ones, then by bytes',
    ops: {
      a: ['genesis', ''],
      b: [
        'patch',
        'a',
        [
          ['set', ['zz'], 1],
          ['set', ['b'], 1],
          ['set', ab, 1],
          ['set', ['é'], 1],
        ],
        6,
      ],
      c: [
        'patch',
        'a',
        [
          ['set', ['é'], 2],
          ['set', ab, 2],
          ['set', ['zz'], 2],
          ['set', ['b'], 2],
        ],
        5,
      ],
    },
    heads: 'bc',
    doc: { a: { b: 1 }, b: 1, zz: 1, é: 1 },
    conflicts: [
      [['b'], ['b', 1], ['c', 2]],
      [['zz'], ['b', 1], ['c', 2]],
      [['é'], ['b', 1], ['c', 2]],
      [ab, ['b', 1], ['c', 2]],
    ],
  },

  // Branches: sets.
  {
    comment: 'adds of different members, concurrent, above the empty list that a document without members has: both',
    ops: {
      a: ['genesis', '', { f: [[tags, []]] }],
      b: ['patch', 'a', [['add', tags, ['x']]]],
      c: ['patch', 'a', [['add', tags, ['y', 'x']]]],
    },
    heads: 'bc',
    doc: { tags: ['x', 'y'] },
  },
  {
    comment:
      'add and rem of one member, concurrent: that member alone is in dispute; two members are two conflicts of one path',
    ops: {
      a: ['genesis', '', { s: [[tags, ['x', 'y', 'z']]] }],
      b: [
        'patch',
        'a',
        [
          ['rem', tags, ['x']],
          ['add', tags, ['y']],
        ],
        6,
      ],
      c: [
        'patch',
        'a',
        [
          ['add', tags, ['x']],
          ['rem', tags, ['y']],
        ],
        5,
      ],
    },
    heads: 'bc',
    doc: { tags: ['y', 'z'] },
    conflicts: [
      [tags, ['b', undefined, { m: 'x' }], ['c', 'x', { m: 'x' }]],
      [tags, ['b', 'y', { m: 'y' }], ['c', undefined, { m: 'y' }]],
    ],
  },
  {
    comment: 'a list written whole and a member, concurrent: the list first, the member behind it',
    ops: {
      a: ['genesis', '', { s: [[tags, ['x']]] }],
      b: ['patch', 'a', [['set', tags, ['q']]], 6],
      c: ['patch', 'a', [['add', tags, ['y']]], 5],
    },
    heads: 'bc',
    doc: { tags: ['q'] },
    conflicts: [[tags, ['b', ['q']], ['c', 'y', { m: 'y' }]]],
  },
  {
    comment: 'a member first, the list behind it; the member that the list had seen is gone',
    ops: {
      a: ['genesis', '', { s: [[tags, ['x']]] }],
      b: ['patch', 'a', [['set', tags, ['q']]], 5],
      c: ['patch', 'a', [['add', tags, ['y']]], 6],
    },
    heads: 'bc',
    doc: { tags: ['y'] },
    conflicts: [[tags, ['c', 'y', { m: 'y' }], ['b', ['q']]]],
  },
  {
    comment: 'a member and a concurrent write below its path: the first is shown',
    ops: { a: ['genesis', ''], b: ['patch', 'a', [['add', a, ['m']]], 6], c: ['patch', 'a', [['set', ab, 1]], 5] },
    heads: 'bc',
    doc: { a: ['m'] },
    conflicts: [[a, ['b', 'm', { m: 'm' }], ['c', 1, { p: ab }]]],
  },
  {
    comment: 'set of the whole field and concurrent adds: what the set had seen goes, what it had not stays',
    ops: {
      a: ['genesis', '', { s: [[tags, ['x']]] }],
      b: [
        'patch',
        'a',
        [
          ['del', tags],
          ['add', tags, ['q']],
        ],
      ],
      c: ['patch', 'a', [['add', tags, ['x', 'y']]]],
    },
    heads: 'bc',
    doc: { tags: ['q', 'x', 'y'] },
  },

  // Deletes.
  {
    comment: 'a delete',
    ops: { a: ['genesis', '', { f: [[a, 1]] }], b: ['delete', 'a'] },
    heads: 'b',
  },
  {
    comment: 'a delete and a concurrent patch: deleted',
    ops: { a: ['genesis', '', { f: [[a, 1]] }], b: ['delete', 'a'], c: ['patch', 'a', [['set', a, 2]], 9] },
    heads: 'bc',
  },
  {
    comment: 'a patch that has seen the delete starts from empty',
    ops: { a: ['genesis', '', { f: [[a, 1]] }], b: ['delete', 'a'], c: ['patch', 'b', [['set', ['c'], 2]]] },
    heads: 'c',
    doc: { c: 2 },
  },
  {
    comment: 'an empty patch above a delete restores nothing',
    ops: { a: ['genesis', '', { f: [[a, 1]] }], b: ['delete', 'a'], c: ['patch', 'b', []] },
    heads: 'c',
  },
  {
    comment: 'an absence above a delete is a write: live, and empty',
    ops: { a: ['genesis', '', { f: [[a, 1]] }], b: ['delete', 'a'], c: ['patch', 'b', [['del', a]]] },
    heads: 'c',
    doc: {},
  },
  {
    comment: 'of two concurrent deletes a put has seen one: it does not contribute',
    ops: { a: ['genesis', ''], b: ['delete', 'a'], c: ['delete', 'a'], d: ['put', 'b', { f: [[a, 1]] }] },
    heads: 'cd',
  },
  {
    comment: 'a put that has seen both deletes restores; what was written before does not come back',
    ops: {
      a: ['genesis', '', { f: [[['c'], 1]] }],
      b: ['delete', 'a'],
      c: ['delete', 'a'],
      d: ['put', 'bc', { f: [[a, 1]] }],
    },
    heads: 'd',
    doc: { a: 1 },
  },
  {
    comment: 'a delete with a body is inert, and deletes nothing',
    ops: { a: ['genesis', '', { f: [[a, 1]] }], b: ['delete', 'a', Uint8Array.of(0xa0)] },
    heads: 'b',
    doc: { a: 1 },
  },
  {
    comment: 'two restores, concurrent, are concurrent writes',
    ops: {
      a: ['genesis', ''],
      b: ['delete', 'a'],
      c: ['put', 'b', { f: [[a, 1]] }, 5],
      d: ['put', 'b', { f: [[a, 2]] }, 6],
    },
    heads: 'cd',
    doc: { a: 2 },
    conflicts: [[a, ['d', 2], ['c', 1]]],
  },

  // Text.
  {
    comment: 'splices of one text, concurrent: both',
    ops: {
      a: ['genesis', '', { t: [[text, 'one two']] }],
      b: ['patch', 'a', [splice('a', 0, 3, 'ONE')]],
      c: ['patch', 'a', [splice('a', 7, 0, ' three')]],
    },
    heads: 'bc',
    doc: { text: 'ONE two three' },
  },
  {
    comment: 'at one place the smaller op id comes first',
    ops: {
      a: ['genesis', '', { t: [[text, 'x']] }],
      b: ['patch', 'a', [splice('a', 1, 0, 'BB')], 1],
      c: ['patch', 'a', [splice('a', 1, 0, 'CC')], 2],
    },
    heads: 'bc',
    doc: { text: 'xBBCC' },
  },
  {
    comment: 'a splice of a text that is not in its past, or at another path, is inert',
    ops: {
      a: ['genesis', '', { t: [[text, 'x']] }],
      b: ['patch', 'a', [['text', text, 'y']], 1],
      c: ['patch', 'a', [splice('b', 0, 0, 'C'), splice('a', 0, 0, 'C', a)]],
    },
    heads: 'bc',
    doc: { text: 'y' },
  },
  {
    comment: 'text twice at one path in one op: the last is the one to splice',
    ops: {
      a: [
        'genesis',
        '',
        {
          t: [
            [text, 'first'],
            [text, 'last'],
          ],
        },
      ],
      b: ['patch', 'a', [splice('a', 4, 0, '!')]],
    },
    heads: 'b',
    doc: { text: 'last!' },
  },
  {
    comment: 'text that its own op covers is no epoch: a splice of it is inert',
    ops: {
      a: ['genesis', ''],
      b: [
        'patch',
        'a',
        [
          ['text', text, 'x'],
          ['set', text, 5],
        ],
      ],
      c: ['patch', 'b', [splice('b', 0, 0, 'y')]],
    },
    heads: 'c',
    doc: { text: 5 },
  },
  {
    comment: 'a text and a plain value of equal characters, concurrent: no conflict',
    ops: {
      a: ['genesis', ''],
      b: ['patch', 'a', [['text', text, 'same']], 6],
      c: ['patch', 'a', [['set', text, 'same']], 5],
    },
    heads: 'bc',
    doc: { text: 'same' },
  },
  {
    comment: 'two texts, concurrent: compared and listed as merged with their splices',
    ops: {
      a: ['genesis', ''],
      b: ['patch', 'a', [['text', text, 'one']], 6],
      c: ['patch', 'a', [['text', text, 'two']], 5],
      d: ['patch', 'bc', [splice('b', 3, 0, '!'), splice('c', 3, 0, '?')], 1],
    },
    heads: 'd',
    doc: { text: 'one!' },
    conflicts: [[text, ['b', 'one!'], ['c', 'two?']]],
  },
  {
    comment: 'a splice concurrent with a fresh text is lost: the old text with it stands behind, named by the splice',
    ops: {
      a: ['genesis', '', { t: [[text, 'old']] }],
      b: ['patch', 'a', [['text', text, 'new']], 1],
      c: ['patch', 'a', [splice('a', 3, 0, 'er')], 9],
    },
    heads: 'bc',
    doc: { text: 'new' },
    conflicts: [[text, ['b', 'new'], ['c', 'older']]],
  },
  {
    comment: 'the old text stands whole, with the splices that the fresh text had seen',
    ops: {
      a: ['genesis', '', { t: [[text, 'old']] }],
      b: ['patch', 'a', [splice('a', 0, 1, 'O')]],
      c: ['patch', 'b', [['text', text, 'new']]],
      d: ['patch', 'b', [splice('a', 3, 0, '!')]],
    },
    heads: 'cd',
    doc: { text: 'new' },
    conflicts: [[text, ['c', 'new'], ['d', 'Old!']]],
  },
  {
    comment: 'lost, but the same characters: no conflict',
    ops: {
      a: ['genesis', '', { t: [[text, 'old']] }],
      b: ['patch', 'a', [['set', text, 'older']]],
      c: ['patch', 'a', [splice('a', 3, 0, 'er')]],
    },
    heads: 'bc',
    doc: { text: 'older' },
  },
  {
    comment: 'a write that has seen fresh text and lost splice settles it',
    ops: {
      a: ['genesis', '', { t: [[text, 'old']] }],
      b: ['patch', 'a', [['text', text, 'new']]],
      c: ['patch', 'a', [splice('a', 3, 0, 'er')]],
      d: ['patch', 'bc', [['text', text, 'newer']]],
    },
    heads: 'd',
    doc: { text: 'newer' },
  },
  {
    comment: 'a splice of the fresh text settles nothing, for it covers nothing',
    ops: {
      a: ['genesis', '', { t: [[text, 'old']] }],
      b: ['patch', 'a', [['text', text, 'new']]],
      c: ['patch', 'a', [splice('a', 3, 0, 'er')]],
      d: ['patch', 'bc', [splice('b', 3, 0, '!')]],
    },
    heads: 'd',
    doc: { text: 'new!' },
    conflicts: [[text, ['b', 'new!'], ['c', 'older']]],
  },
  {
    comment: 'a splice concurrent with a put that leaves the text out: the absence in front, named by the put',
    ops: {
      a: ['genesis', '', { f: [[a, 1]], t: [[text, 'old']] }],
      b: ['put', 'a', { f: [[a, 1]] }, 5],
      c: ['patch', 'a', [splice('a', 3, 0, 'er')], 6],
    },
    heads: 'bc',
    doc: { a: 1 },
    conflicts: [[text, ['b'], ['c', 'older']]],
  },
  {
    comment: 'a splice concurrent with del of the text: behind the absence that is shown',
    ops: {
      a: ['genesis', '', { t: [[text, 'old']] }],
      b: ['patch', 'a', [['del', text]], 5],
      c: ['patch', 'a', [splice('a', 3, 0, 'er')], 6],
    },
    heads: 'bc',
    doc: {},
    conflicts: [[text, ['b'], ['c', 'older']]],
  },
  {
    comment: 'a splice concurrent with a value above the text: behind that value, with its own path',
    ops: {
      a: ['genesis', '', { t: [[ab, 'old']] }],
      b: ['patch', 'a', [['set', a, 7]], 5],
      c: ['patch', 'a', [splice('a', 3, 0, 'er', ab)], 6],
    },
    heads: 'bc',
    doc: { a: 7 },
    conflicts: [[a, ['b', 7], ['c', 'older', { p: ab }]]],
  },
  {
    comment: 'a splice of a text that its author had seen covered is lost like any other, on a line too',
    ops: {
      a: ['genesis', '', { t: [[text, 'old']] }],
      b: ['patch', 'a', [['text', text, 'new']]],
      c: ['patch', 'b', [splice('a', 3, 0, 'er')]],
    },
    heads: 'c',
    doc: { text: 'new' },
    conflicts: [[text, ['b', 'new'], ['c', 'older']]],
  },
  {
    comment: 'an op that splices a text and then covers it loses nothing; the other way round it does',
    ops: {
      a: [
        'genesis',
        '',
        {
          t: [
            [text, 'old'],
            [a, 'old'],
          ],
        },
      ],
      b: ['patch', 'a', [splice('a', 3, 0, 'er'), ['set', text, 1], ['set', a, 1], splice('a', 3, 0, 'er', a)]],
    },
    heads: 'b',
    doc: { text: 1, a: 1 },
    conflicts: [[a, ['b', 1], ['b', 'older']]],
  },
  {
    comment: 'a text from before a delete takes no part: a splice of it is neither shown nor lost',
    ops: {
      a: ['genesis', '', { t: [[text, 'old']] }],
      b: ['delete', 'a'],
      c: ['patch', 'b', [splice('a', 3, 0, 'er'), ['set', a, 1]]],
    },
    heads: 'c',
    doc: { a: 1 },
  },
  {
    comment: 'a patch that only splices writes nothing: a deleted record stays deleted',
    ops: {
      a: ['genesis', '', { t: [[text, 'old']] }],
      b: ['delete', 'a'],
      c: ['patch', 'b', [splice('a', 3, 0, 'er')]],
    },
    heads: 'c',
  },
  {
    comment: 'of 513 splices of one text in one op the last is inert; so is one more above them',
    ops: {
      a: ['genesis', '', { t: [[text, '']] }],
      b: [
        'patch',
        'a',
        Array.from({ length: 513 }, (_, i) =>
          splice('a', 0, i < 512 ? Number.MAX_SAFE_INTEGER : 0, i < 512 ? `${i}` : '!'),
        ),
      ],
      c: ['patch', 'b', [splice('a', 0, 0, '!')]],
    },
    heads: 'c',
    doc: { text: '511' },
  },
]
