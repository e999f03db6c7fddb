/**
 * The word a person probably meant: the nearest by insertions, deletions, substitutions and swaps of neighbours, or
 * undefined when even that one shares less than three fifths with what was typed.
 */
export function closest(word: string, words: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Number.POSITIVE_INFINITY
  for (const candidate of words) {
    const steps = distance(word.toLowerCase(), candidate.toLowerCase())
    if (steps < least) [best, least] = [candidate, steps]
  }
  if (best === undefined) return undefined
  return least <= Math.max(word.length, best.length) * 0.4 ? best : undefined
}

/** Optimal string alignment. Words here are settings and commands; anything long is cut. */
function distance(a: string, b: string): number {
  const [from, to] = [a.slice(0, 64), b.slice(0, 64)]
  let before: number[] = []
  let above = Array.from({ length: to.length + 1 }, (_, j) => j)
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1
      let steps = Math.min((above[j] as number) + 1, (row[j - 1] as number) + 1, (above[j - 1] as number) + same)
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        steps = Math.min(steps, (before[j - 2] as number) + 1)
      }
      row.push(steps)
    }
    ;[before, above] = [above, row]
  }
  return above[to.length] as number
}
