/** How splices of one text interleave: small cases by hand, and many at random for those who bring their own list. */
import { mergeText, type TextEdit, type TextSplice } from '../../crdt/text.ts'
import { letterId } from './json.ts'

type Sketch = readonly [op: string, past: string, ...splices: readonly (readonly [number, number, string])[]]
type Case = readonly [comment: string, start: string, text: string, ...edits: readonly Sketch[]]

export function textVectors(): unknown {
  return {
    comment:
      'SPEC.md section 7, "Text". `start` is the text of the epoch. `edits`, one per op: `op`, its id, 32 times the letter that comments call it by; `past`, the other edits that it has seen; `splices`, each [at, del, ins]. `text` is the merged text. The order of the edits must not matter.',
    cases: [
      ...cases.map(([comment, start, text, ...edits]) => {
        const got = textOf(start, edits)
        if (got !== text) throw new Error(`${comment}\nwanted ${JSON.stringify(text)}\ngot    ${JSON.stringify(got)}`)
        return vector(comment, start, edits, text)
      }),
      ...Array.from({ length: 60 }, (_, i) => {
        const [start, edits] = randomCase(i + 1)
        return vector(`random ${i + 1}`, start, edits, textOf(start, edits))
      }),
    ],
  }
}

function vector(comment: string, start: string, edits: readonly Sketch[], text: string): unknown {
  return {
    comment,
    start,
    edits: edits.map(([op, past, ...splices]) => ({ op: letterId(op), past: past.split('').map(letterId), splices })),
    text,
  }
}

/** Edits are written with their pasts before them. */
function textOf(start: string, sketches: readonly Sketch[]): string {
  const edits = sketches.map(([op, , ...splices]): TextEdit => {
    return { op: letterId(op), splices: splices.map(([at, del, ins]): TextSplice => ({ at, del, ins })) }
  })
  return mergeText(start, edits, (x, y) => (sketches[y] as Sketch)[1].includes((sketches[x] as Sketch)[0]))
}

const END = Number.MAX_SAFE_INTEGER

const cases: readonly Case[] = [
  ['no edits', 'as it was', 'as it was'],
  ['one edit', 'abc', 'aXc', ['a', '', [1, 1, 'X']]],
  ['an op deletes first, then inserts', 'abcd', 'aXd', ['a', '', [1, 2, 'X']]],
  ['splices of one op see one another', 'abc', 'XYabc', ['a', '', [0, 0, 'X'], [1, 0, 'Y']]],
  ['positions beyond the end are brought down to it', 'abc', 'abX', ['a', '', [2, END, ''], [END, END, 'X']]],
  ['a position inside a surrogate pair moves down to its start', 'a😀b', 'aX😀b', ['a', '', [2, 0, 'X']]],
  ['an end inside a surrogate pair moves down: nothing is deleted', '😀b', 'X😀b', ['a', '', [0, 1, 'X']]],
  ['a start inside a pair moves down, the end stays: the pair is deleted', 'a😀b', 'aXb', ['a', '', [2, 1, 'X']]],
  ['letters of more than one unit that are no pair may be cut', 'é̂x', 'éXx', ['a', '', [1, 1, 'X']]],
  [
    'on a line every edit sees the ones before it',
    'abc',
    'Zc',
    ['a', '', [0, 1, 'X']],
    ['b', 'a', [1, 1, 'Y']],
    ['c', 'ab', [0, 2, 'Z']],
  ],
  ['concurrent, at different places', 'abc', 'XabcY', ['a', '', [0, 0, 'X']], ['b', '', [3, 0, 'Y']]],
  [
    'concurrent, at one place: the smaller op id first, each run whole',
    'ab',
    'aXXXYYYb',
    ['b', '', [1, 0, 'YYY']],
    ['a', '', [1, 0, 'XXX']],
  ],
  ['concurrent, into no text', '', 'XYZ', ['a', '', [0, 0, 'X']], ['b', '', [0, 0, 'Y']], ['c', '', [0, 0, 'Z']]],
  ['both delete the same', 'abcd', 'ad', ['a', '', [1, 2, '']], ['b', '', [1, 2, '']]],
  ['both replace the same: both insertions stay', 'abcd', 'aXYd', ['a', '', [1, 2, 'X']], ['b', '', [1, 2, 'Y']]],
  ['an insertion inside what another deletes stays', 'abcd', 'aXd', ['a', '', [1, 2, '']], ['b', '', [2, 0, 'X']]],
  [
    'an insertion goes behind the tombstones at its place',
    'abc',
    'aYXc',
    ['a', '', [1, 1, '']],
    ['b', 'a', [1, 0, 'X']],
    ['c', '', [1, 0, 'Y']],
  ],
  ['a pair deleted by one while another types behind it', '😀b', 'Xb', ['a', '', [0, 2, '']], ['b', '', [2, 0, 'X']]],
  [
    'an edit that changes nothing, and edits that saw it',
    'ab',
    'aXYb',
    ['a', '', [1, 0, '']],
    ['b', 'a', [1, 0, 'X']],
    ['c', 'a', [1, 0, 'Y']],
  ],
  [
    'an edit that has seen two branches',
    'abc',
    'XaYcZ!',
    ['a', '', [0, 0, 'X']],
    ['b', '', [1, 1, 'Y']],
    ['c', 'ab', [4, 0, 'Z']],
    ['d', 'abc', [5, 0, '!']],
  ],
  [
    'typing on both sides, run behind run: runs do not mix',
    '',
    'onetwo',
    ['a', '', [0, 0, 'o']],
    ['b', '', [0, 0, 't']],
    ['c', 'a', [1, 0, 'n']],
    ['d', 'b', [1, 0, 'w']],
    ['e', 'ac', [2, 0, 'e']],
    ['f', 'bd', [2, 0, 'o']],
  ],
  [
    'typing backwards on both sides',
    '',
    'cbafed',
    ['a', '', [0, 0, 'a']],
    ['b', 'a', [0, 0, 'b']],
    ['c', 'ab', [0, 0, 'c']],
    ['d', '', [0, 0, 'd']],
    ['e', 'd', [0, 0, 'e']],
    ['f', 'de', [0, 0, 'f']],
  ],
]

/** A line of branches over few letters, the same on every machine: numbers are from a 32-bit congruence. */
function randomCase(seed: number): readonly [string, readonly Sketch[]] {
  let state = seed
  const below = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
  const letters = 'abcdefghijkl'.split('')
  const ids = letters.splice(0, 2 + below(letters.length - 2)).sort(() => below(3) - 1)
  const pasts = new Map<string, Set<string>>()
  const sketches = ids.map((id, i): Sketch => {
    const past = new Set<string>()
    for (let picks = i === 0 ? 0 : below(3); picks > 0; picks--) {
      const parent = ids[i - 1 - below(Math.min(3, i))] as string
      for (const seen of [parent, ...(pasts.get(parent) as Set<string>)]) past.add(seen)
    }
    pasts.set(id, past)
    const splices = Array.from({ length: 1 + below(3) }, () => {
      return [below(9), below(3), ['', 'x', 'yz', '🎉', 'word'][below(5)] as string] as const
    })
    return [id, [...past].sort().join(''), ...splices]
  })
  return [['', 'abc', 'one 😀 two'][seed % 3] as string, sketches]
}
