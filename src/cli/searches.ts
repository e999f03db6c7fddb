/** searches: what is kept under a name, to be followed. */
import { type Context, connect } from './context.ts'
import { oneLine } from './output.ts'

export async function list(context: Context): Promise<void> {
  const { out, signal } = context
  const client = await connect(context)
  for (const search of await client.savedSearches({ signal })) {
    const { name, query, kinds, filters } = search
    if (out.json) await out.value(search)
    else if (out.quiet) await out.data(name)
    else {
      const filter = typeof filters === 'object' ? JSON.stringify(filters) : filters
      const parts = [kinds?.join(', '), query && JSON.stringify(query), filter].filter(Boolean)
      await out.data(`${out.bold(name.padEnd(20))}  ${oneLine(parts.join(' '), 200)}`)
    }
  }
}

export async function remove(context: Context, names: readonly string[]): Promise<void> {
  const { out, signal } = context
  const client = await connect(context)
  for (const name of names) {
    await client.removeSearch(name, { signal })
    out.talk(`${name} forgotten`)
  }
}
