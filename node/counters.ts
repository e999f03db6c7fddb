/**
 * Plain counts by label, for the metrics page. The labels are a closed set given at the start: what a stranger sends
 * can make a number grow, never the number of labels.
 */
export type Counts = { readonly [label: string]: number }
export type Counters = { readonly [name: string]: Counts }

/** All zero. The owner adds to it in place. */
export function countsOf<L extends string>(labels: readonly L[]): Record<L, number> {
  return Object.fromEntries(labels.map((label) => [label, 0])) as Record<L, number>
}
