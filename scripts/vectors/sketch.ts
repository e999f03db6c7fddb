/** The checksum, an id's symbols, sketches of sets as they travel, and differences that are solved or cannot be. */
import {
  fromHex,
  pureSha256,
  readSymbols,
  type SipKey,
  Sketch,
  SketchSolver,
  sipHash,
  toHex,
  utf8,
  writeSymbols,
} from '../../crdt/index.ts'

export function sketchVectors(): unknown {
  return {
    comment:
      'SPEC.md section 10.1. `from` and `to`: the ids are SHA-256 of "id " and the decimal number, from `from` to `to` - 1. Symbols are bytes as they travel, symbol 0 first.',
    checksums: [
      {
        comment: "SipHash's own example: the key is the bytes 00 to 0f, the message 00 to 07",
        key: '000102030405060708090a0b0c0d0e0f',
        item: '0001020304050607',
        check: checkOf('0001020304050607', [0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c]),
      },
      ...['0000000000000000', 'ffffffffffffffff', shortOfNumber(0), shortOfNumber(1)].map((item) => ({
        comment: `the key of the universal sketch is zero; item ${item}`,
        key: '0'.repeat(32),
        item,
        check: checkOf(item, [0, 0, 0, 0]),
      })),
    ],
    walks: [shortOfNumber(0), shortOfNumber(1), shortOfNumber(2), '0000000000000000'].map((item) => ({
      comment: `the symbols below 65,536 that item ${item} is part of`,
      item,
      symbols: symbolsOf(item),
    })),
    sketches: [
      { comment: 'the empty set', from: 0, to: 0, symbols: 4 },
      { comment: 'one id', from: 0, to: 1, symbols: 16 },
      { comment: '100 ids', from: 0, to: 100, symbols: 24 },
      { comment: '5,000 ids: counts are told as their distance from what is expected', from: 0, to: 5000, symbols: 12 },
    ].map(({ comment, from, to, symbols }) => ({
      comment,
      from,
      to,
      bytes: toHex(writeSymbols(sketchOf(from, to, symbols), 0, symbols, to - from)),
    })),
    refused: [
      { comment: 'cut short', bytes: `${'00'.repeat(16)}` },
      { comment: 'a count without an end', bytes: `${'00'.repeat(16)}8080808080808000` },
      { comment: 'a count written longer than it need be', bytes: `${'00'.repeat(16)}8000` },
      { comment: 'a count no set can have', bytes: `${'00'.repeat(16)}ffffffff7f` },
    ],
    differences: [
      { comment: 'equal sets', ours: [0, 50], theirs: [0, 50], symbols: 8 },
      { comment: 'one id more there', ours: [0, 50], theirs: [0, 51], symbols: 8 },
      { comment: '20 ids more here, 30 there', ours: [0, 1020], theirs: [20, 1050], symbols: 96 },
      { comment: 'too few symbols for the difference', ours: [0, 100], theirs: [50, 150], symbols: 32 },
    ].map(differenceCase),
  }
}

type Case = { readonly comment: string; readonly ours: number[]; readonly theirs: number[]; readonly symbols: number }

function differenceCase({ comment, ours, theirs, symbols }: Case): unknown {
  const [from, to] = theirs as [number, number]
  const bytes = writeSymbols(sketchOf(from, to, symbols), 0, symbols, to - from)
  const solver = new SketchSolver(sketchOf(ours[0]!, ours[1]!, symbols))
  solver.take(readSymbols(bytes, 0, to - from)!)
  const found = solver.difference
  return {
    comment,
    ours,
    theirs,
    symbols,
    difference: found === undefined ? null : { ours: [...found.ours].sort(), theirs: [...found.theirs].sort() },
  }
}

function sketchOf(from: number, to: number, symbols: number): Sketch {
  const sketch = new Sketch(symbols)
  for (let n = from; n < to; n++) sketch.add(numbered(n))
  return sketch
}

/** Read off the sketch of the one id. */
function symbolsOf(item: string): number[] {
  const sketch = new Sketch(65_536)
  sketch.add(fromHex(item))
  return Array.from({ length: 65_536 }, (_, at) => at).filter((at) => sketch.words[at * 5 + 4] === 1)
}

function checkOf(item: string, key: SipKey): string {
  const words = new DataView(fromHex(item).buffer)
  const answer = new Int32Array(2)
  sipHash(words.getInt32(0, true), words.getInt32(4, true), key, answer)
  return toHex(new Uint8Array(answer.buffer))
}

function numbered(n: number): Uint8Array {
  return pureSha256(utf8(`id ${n}`))
}

function shortOfNumber(n: number): string {
  return toHex(numbered(n)).slice(0, 16)
}
