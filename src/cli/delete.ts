/** delete: writes a tombstone. History and heads stay, and registering the slug again restores. */

import { confirm } from './confirm.ts'
import { type Context, connect } from './context.ts'
import { EXIT, type ExitCode } from './output.ts'
import { finish } from './written.ts'

export async function run(context: Context, references: readonly string[]): Promise<ExitCode> {
  const { out, options, signal } = context
  const client = await connect(context)
  if (options.dryRun) {
    for (const reference of references) {
      const record = await client.get(reference, { signal })
      out.talk(`would delete ${record.kind}/${record.slug}; nothing was changed`)
      await out.data(record.id)
    }
    return EXIT.ok
  }
  if (!options.yes && !(await confirm(context, `Delete ${references.join(', ')}?`))) {
    out.talk('nothing was deleted')
    return EXIT.error
  }
  for (const reference of references) {
    await finish(context, client, reference, await client.remove(reference, { signal }))
  }
  return EXIT.ok
}
