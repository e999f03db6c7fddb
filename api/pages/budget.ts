/**
 * What one page may cost, whatever a record holds: a stranger decides how many values, texts and edits there are, and
 * this node how many of them it shows.
 */
import { pageDiffsMax, pageValuesMax } from '../../node/index.ts'

/** Counts down while a page is made. */
export type Budget = {
  /** Values of documents, each item of a list and entry of a map for itself. */
  values: number
  /** Pairs of texts that are compared word by word. */
  diffs: number
}

export function pageBudget(): Budget {
  return { values: pageValuesMax, diffs: pageDiffsMax }
}
