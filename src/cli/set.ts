/** set: changes single fields of a record, and nothing else of it. */
import { type Context, connect } from './context.ts'
import { mergePatch } from './fields.ts'
import { finish } from './written.ts'

export async function run(context: Context, reference: string, assignments: readonly string[]): Promise<void> {
  const { out, options, signal } = context
  const patch = mergePatch(assignments, (options.unset as string[] | undefined) ?? [])
  if (options.dryRun) {
    out.talk('would send this merge patch; nothing was changed')
    return out.value(patch)
  }
  const client = await connect(context)
  await finish(context, client, reference, await client.patch(reference, patch, { signal }))
}
