/** start: a node, until it is told to stop. */
import type { Context } from './context.ts'

export async function run({ resolved, out }: Context): Promise<number> {
  const { start } = await import('../main.ts')
  return start(resolved.settings, { json: out.json, warnings: resolved.warnings })
}
