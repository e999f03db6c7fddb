/** get: records as they are now. */
import type { Client } from '../client.ts'
import { ClientError } from '../client-error.ts'
import { parseReference } from '../reference.ts'
import { type Context, connect } from './context.ts'
import { EXIT, type ExitCode, printable } from './output.ts'

export async function run(context: Context, references: readonly string[]): Promise<ExitCode> {
  const { out, signal } = context
  const client = await connect(context)
  let missing = false
  for (const [at, reference] of references.entries()) {
    try {
      const record = await client.get(reference, { signal })
      if (out.quiet) await out.data(record.id)
      else if (out.json) await out.value(record)
      else {
        const { stringify } = await import('yaml')
        if (at > 0) await out.data('---')
        await out.data(printable(stringify(record, { lineWidth: 0 }).trimEnd()))
      }
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== 'not-found') throw error
      missing = true
      const hint = await namesakes(client, reference, signal)
      out.talk(`${reference}: ${error.message}${hint}`)
    }
  }
  return missing ? EXIT.notFound : EXIT.ok
}

/** A slug alone means our own record; others may have registered one of the same name. */
async function namesakes(client: Client, reference: string, signal: AbortSignal): Promise<string> {
  const named = parseReference(reference)
  if (named?.form !== 'name' || named.owner !== undefined) return ''
  try {
    const { items } = await client.search({ kind: named.kind.name, query: named.slug, limit: 5 }, { signal })
    const same = items.filter(({ record }) => record.slug === named.slug)
    if (same.length === 0) return ''
    return [
      '\nOthers have registered one of that name:',
      ...same.map(({ record }) => `  ${record.kind}/${record.owner_id}/${record.slug}`),
    ].join('\n')
  } catch {
    // Only a hint: the answer is that there is none.
    return ''
  }
}
