/** Keeping a search under a name, and following one: a line for each record that comes to match, changes or is gone. */
import { kindNamed } from '../reference.ts'
import { type Context, connect } from './context.ts'
import { filterOf, withFilter } from './filter.ts'
import { EXIT, Failure, oneLine } from './output.ts'
import { valueText } from './show.ts'

export async function save(context: Context, words: readonly string[]): Promise<void> {
  const { out, options, signal } = context
  const client = await connect(context)
  const { filter, ...asked } = askedOf(context, words)
  const search = { name: options.save as string, ...asked, ...(filter !== undefined && { filters: filter }) }
  const saved = await withFilter(filter, () => client.saveSearch(search, { signal }))
  if (out.json) return out.value(saved)
  if (out.quiet) return out.data(saved.name)
  out.talk(`kept as ${saved.name}; follow it with: peerage search --follow ${saved.name}`)
}

export async function follow(context: Context, words: readonly string[]): Promise<void> {
  const { out, options, signal } = context
  const client = await connect(context)
  const asked = askedOf(context, words)
  const name = options.follow
  if (typeof name === 'string' && Object.keys(asked).length > 0) {
    throw new Failure(
      EXIT.usage,
      'expected the name of a kept search alone; to follow this search put --follow behind it',
    )
  }
  const how = {
    signal,
    follow: options.once !== true,
    ...(options.since !== undefined && { since: options.since as number }),
  }
  await withFilter(asked.filter, async () => {
    for await (const change of client.matches(typeof name === 'string' ? name : asked, how)) {
      const { match, id, kind, slug, name: called, seq } = change
      if (out.json) await out.value(change)
      else if (out.quiet) await out.data(id)
      else
        await out.data(
          `${match.padEnd(7)}  ${out.dim(id)}  ${out.bold(`${kind}/${oneLine(slug ?? valueText(called), 80)}`)}  ${seq}`,
        )
    }
  })
}

/** What is searched for, of what can be kept and followed. */
function askedOf(context: Context, words: readonly string[]) {
  const { options } = context
  const [query, filter] = [words.join(' '), filterOf(context)]
  const kind = options.kind === undefined ? undefined : String(options.kind)
  return {
    ...(query.trim() !== '' && { query }),
    ...(filter !== undefined && { filter }),
    ...(kind !== undefined && { kinds: [kindNamed(kind)?.name ?? kind] }),
  }
}
