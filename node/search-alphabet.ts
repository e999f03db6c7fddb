/**
 * Words in the order of their UTF-16 units, in steps: by their first byte, then each group by the next, until groups are
 * so small that comparing is the quicker. To compare thousands of words at once would stall the index's thread.
 */

/** Smaller groups are compared. */
const COMPARED_BELOW = 32
const WORDS_A_STEP = 16_384

type Group = { readonly from: number; readonly to: number; readonly depth: number }

/** The places of different words in order. */
export function* inOrder(words: readonly string[]): Generator<undefined, Uint32Array> {
  const order = Uint32Array.from(words, (_, at) => at)
  const room = new Uint32Array(words.length)
  const groups: Group[] = [{ from: 0, to: words.length, depth: 0 }]
  let done = 0
  for (let group = groups.pop(); group; group = groups.pop()) {
    const { from, to } = group
    if (to - from >= COMPARED_BELOW) part(words, order, room, group, groups)
    else order.subarray(from, to).sort((a, b) => ((words[a] as string) < (words[b] as string) ? -1 : 1))
    done += to - from
    if (done < WORDS_A_STEP) continue
    done = 0
    yield
  }
  return order
}

const ends = new Uint32Array(258)

/** Puts a group's words by the byte at its depth, and adds the groups that come of it. */
function part(
  words: readonly string[],
  order: Uint32Array,
  room: Uint32Array,
  { from, to, depth }: Group,
  groups: Group[],
): void {
  ends.fill(0)
  for (let i = from; i < to; i++) {
    const byte = byteAt(words[order[i] as number] as string, depth)
    ends[byte + 1] = (ends[byte + 1] as number) + 1
  }
  ends[0] = from
  for (let byte = 0; byte < BYTES; byte++) {
    const begin = ends[byte] as number
    const end = begin + (ends[byte + 1] as number)
    ends[byte + 1] = end
    if (byte > 0 && end - begin > 1) groups.push({ from: begin, to: end, depth: depth + 1 })
  }
  for (let i = from; i < to; i++) {
    const at = order[i] as number
    const byte = byteAt(words[at] as string, depth)
    const next = ends[byte] as number
    ends[byte] = next + 1
    room[next] = at
  }
  for (let i = from; i < to; i++) order[i] = room[i] as number
}

/** Two bytes a unit, and 0 behind the last. */
const BYTES = 257

function byteAt(word: string, depth: number): number {
  const at = depth >>> 1
  if (at >= word.length) return 0
  const unit = word.charCodeAt(at)
  return 1 + ((depth & 1) === 0 ? unit >>> 8 : unit & 0xff)
}
