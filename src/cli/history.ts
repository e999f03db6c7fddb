/** history: every op of a record, newest first. */
import type { HistoryItem } from '../answers.ts'
import { type Context, connect } from './context.ts'
import { oneLine } from './output.ts'
import { timeOf } from './show.ts'

export async function run(context: Context, reference: string): Promise<void> {
  const { out, options, signal } = context
  const client = await connect(context)
  let left = (options.limit as number | undefined) ?? Number.POSITIVE_INFINITY
  for await (const item of client.history(reference, { signal })) {
    if (left-- <= 0) return
    if (out.quiet) await out.data(item.op)
    else if (out.json) await out.value(item)
    else
      await out.data(`${item.op}  ${timeOf(item.w)}  ${item.type.padEnd(7)}  ${out.dim(item.actor)}  ${places(item)}`)
  }
}

/** Which fields an op wrote; of a genesis or put that is the whole record. */
function places({ type, patch }: HistoryItem): string {
  if (type !== 'patch' || !Array.isArray(patch)) return ''
  const pointers = patch.map((verb: unknown) => (Array.isArray(verb) ? `${verb[0]} ${verb[1]}` : ''))
  return oneLine([...new Set(pointers)].join(', '), 100)
}
