/** list: the records of a kind, page by page. */
import { kindNamed } from '../reference.ts'
import { type Context, connect } from './context.ts'
import { readFilters } from './fields.ts'
import { showRecord } from './show.ts'

export async function run(context: Context, kind: string): Promise<void> {
  const { out, options, signal } = context
  const client = await connect(context)
  const filters = readFilters((options.where as string[] | undefined) ?? [], kindNamed(kind))
  const sort = options.sort as string | undefined
  const query = { filters, signal, ...(sort !== undefined && { sort }) }
  if (options.all) {
    for await (const record of client.list(kind, query)) await showRecord(out, record)
    return
  }
  const cursor = options.cursor as string | undefined
  const page = await client.page(kind, {
    ...query,
    limit: options.limit as number,
    ...(cursor !== undefined && { cursor }),
  })
  for (const record of page.items) await showRecord(out, record)
  if (page.next_cursor !== undefined) out.talk(`more with --cursor ${page.next_cursor}, or all with --all`)
  else if (page.items.length === 0 && !out.json && !out.quiet) out.talk('none')
}
