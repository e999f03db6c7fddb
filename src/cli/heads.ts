/** heads: the ops nothing builds on yet, and where they disagree. */
import { type Context, connect } from './context.ts'
import { oneLine } from './output.ts'
import { timeOf, valueText } from './show.ts'

export async function run(context: Context, reference: string): Promise<void> {
  const { out, signal } = context
  const client = await connect(context)
  const answer = await client.heads(reference, { signal })
  if (out.json) return out.value(answer)
  for (const head of answer.heads) await out.data(head)
  if (out.quiet) return
  for (const [pointer, values] of Object.entries(answer.conflicts ?? {})) {
    await out.data(`${out.bold(oneLine(pointer))} is in conflict`)
    for (const [at, { value, actor, w, member }] of values.entries()) {
      const said =
        member === undefined ? valueText(value) : `${valueText(member)} ${value === undefined ? 'taken out' : 'put in'}`
      await out.data(`  ${at === 0 ? 'shown' : '     '}  ${said}  ${out.dim(`${actor} ${timeOf(w)}`)}`)
    }
  }
}
