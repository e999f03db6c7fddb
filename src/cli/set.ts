/** set: changes single fields of a record, and nothing else of it. */

import { mergePatch } from './assignments.ts'
import { type Context, connect } from './context.ts'
import { finish } from './written.ts'

export async function run(context: Context, reference: string, assignments: readonly string[]): Promise<void> {
  const { out, options, signal } = context
  // Before anything is asked: what cannot be meant is told even where no node runs.
  mergePatch(assignments, (options.unset as string[] | undefined) ?? [])
  const client = await connect(context)
  const { kind } = await client.resolve(reference, { signal })
  const patch = mergePatch(assignments, (options.unset as string[] | undefined) ?? [], kind)
  if (options.dryRun) {
    out.talk('would send this merge patch; nothing was changed')
    return out.value(patch)
  }
  await finish(context, client, reference, await client.patch(reference, patch, { signal }))
}
