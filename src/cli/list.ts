/** list: the records of a kind, page by page. */
import { type Context, connect } from './context.ts'
import { filterOf, withFilter } from './filter.ts'
import { damagedText, showRecord } from './show.ts'

export async function run(context: Context, kind: string): Promise<void> {
  const filter = filterOf(context)
  return withFilter(filter, () => list(context, kind, filter))
}

async function list(context: Context, kind: string, filter: string | undefined): Promise<void> {
  const { out, options, signal } = context
  const client = await connect(context)
  const sort = options.sort as string | undefined
  const query = { signal, ...(filter !== undefined && { filter }), ...(sort !== undefined && { sort }) }
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
  if (page.damaged) out.talk(damagedText(page.damaged))
  if (page.next_cursor !== undefined) out.talk(`more with --cursor ${page.next_cursor}, or all with --all`)
  else if (page.items.length === 0 && !out.json && !out.quiet) out.talk('none')
}
