/** Requests and answers of a descent, and what they say about two sets. */
import {
  compareNodes,
  concat,
  describeNodes,
  IdSet,
  type IdWidth,
  pureSha256,
  toHex,
  u32be,
  utf8,
  writePrefixes,
} from '../../crdt/index.ts'

export function trieVectors(): unknown {
  return {
    comment:
      'SPEC.md section 10.2. Sets are lists of [from, to): SHA-256 of "id " and the decimal number; `neighbours` are 28 bytes ab and the number, u32be.',
    prefixes: [
      { comment: 'the root', prefixes: [''] },
      { comment: 'an odd number of digits is padded', prefixes: ['', 'a', '0f', '0f0'] },
      { comment: 'all digits but one', prefixes: ['5'.repeat(63)] },
    ].map(({ comment, prefixes }) => ({ comment, prefixes, bytes: toHex(writePrefixes(prefixes)) })),
    refusedPrefixes: [
      { comment: 'no node', bytes: '' },
      { comment: 'all digits: there is no node below them', bytes: `40${'00'.repeat(32)}` },
      { comment: 'more digits than an id has', bytes: `ff${'00'.repeat(128)}` },
      { comment: 'cut short', bytes: '0400' },
      { comment: 'padded with another digit than 0', bytes: '010f' },
    ],
    descents: cases.map(({ comment, ours, theirs, prefixes, width }) => {
      const bytes = describeNodes(setOf(theirs), prefixes, width)
      return {
        comment,
        ours,
        theirs,
        prefixes,
        width,
        answer: toHex(bytes),
        found: compareNodes(setOf(ours), prefixes, bytes, width),
      }
    }),
    refusedAnswers: [
      { comment: 'nothing for a node that was asked for', prefixes: [''], width: 8, answer: '' },
      { comment: 'more than was asked for', prefixes: [''], width: 8, answer: '0000' },
      { comment: 'a leaf of more than 32', prefixes: [''], width: 8, answer: `21${'00'.repeat(33 * 8)}` },
      { comment: 'ids that do not ascend', prefixes: [''], width: 8, answer: `02${'ff'.repeat(8)}${'00'.repeat(8)}` },
      { comment: 'an id of another place', prefixes: ['a'], width: 8, answer: `01${'bb'.repeat(8)}` },
      { comment: 'one id twice', prefixes: [''], width: 32, answer: `02${'aa'.repeat(64)}` },
      { comment: 'hashes that are cut short', prefixes: [''], width: 8, answer: `ff${'00'.repeat(255)}` },
      {
        comment: 'children below all digits but one',
        prefixes: ['5'.repeat(63)],
        width: 32,
        answer: `ff${'00'.repeat(256)}`,
      },
    ],
  }
}

type SetOf = { readonly numbers?: readonly [number, number]; readonly neighbours?: readonly [number, number] }
type Case = {
  readonly comment: string
  readonly ours: SetOf
  readonly theirs: SetOf
  readonly prefixes: string[]
  readonly width: IdWidth
}

const cases: readonly Case[] = [
  {
    comment: 'leaves: the ids themselves',
    ours: { numbers: [0, 5] },
    theirs: { numbers: [2, 8] },
    prefixes: [''],
    width: 8,
  },
  { comment: 'the same, whole', ours: { numbers: [0, 5] }, theirs: { numbers: [2, 8] }, prefixes: [''], width: 32 },
  {
    comment: 'one id more there: one child differs',
    ours: { numbers: [0, 300] },
    theirs: { numbers: [0, 301] },
    prefixes: [''],
    width: 8,
  },
  {
    comment: 'hashes there, a leaf here',
    ours: { numbers: [0, 10] },
    theirs: { numbers: [0, 60] },
    prefixes: [''],
    width: 8,
  },
  {
    comment: 'a leaf there, hashes here',
    ours: { numbers: [0, 60] },
    theirs: { numbers: [0, 10] },
    prefixes: [''],
    width: 8,
  },
  {
    comment: 'several nodes, one of them empty there',
    ours: { numbers: [0, 40] },
    theirs: { numbers: [0, 3] },
    prefixes: ['0', '7', 'ff'],
    width: 8,
  },
  {
    comment: 'ids that agree in eight bytes are asked for whole',
    ours: { neighbours: [0, 1] },
    theirs: { neighbours: [1, 2] },
    prefixes: [''],
    width: 8,
  },
  {
    comment: 'and so are two on one side',
    ours: { neighbours: [0, 1] },
    theirs: { neighbours: [0, 2] },
    prefixes: [''],
    width: 8,
  },
  {
    comment: 'whole, they are told apart',
    ours: { neighbours: [0, 1] },
    theirs: { neighbours: [0, 2] },
    prefixes: [''],
    width: 32,
  },
]

function setOf({ numbers = [0, 0], neighbours = [0, 0] }: SetOf): IdSet {
  const set = new IdSet()
  for (let n = numbers[0]; n < numbers[1]; n++) set.add(pureSha256(utf8(`id ${n}`)))
  for (let n = neighbours[0]; n < neighbours[1]; n++) set.add(concat(new Uint8Array(28).fill(0xab), u32be(n)))
  return set
}
