/** search: full text, filters and facets; keeps a search, and follows one. */
import { type Context, connect } from './context.ts'
import { filterOf, withFilter } from './filter.ts'
import { follow, save } from './follow.ts'
import { oneLine } from './output.ts'
import { count, damagedText, showRecord, valueText } from './show.ts'

export async function run(context: Context, words: readonly string[]): Promise<void> {
  const { options } = context
  if (options.follow !== undefined) return follow(context, words)
  if (options.save !== undefined) return save(context, words)
  return search(context, words)
}

async function search(context: Context, words: readonly string[]): Promise<void> {
  const { out, options, signal } = context
  const client = await connect(context)
  const query = words.join(' ')
  const filters = filterOf(context)
  const question = {
    ...(query.trim() !== '' && { query }),
    ...(filters !== undefined && { filters }),
    limit: options.limit as number,
    ...(options.kind !== undefined && { kind: options.kind as string }),
    ...(options.facets !== undefined && { facets: String(options.facets).split(',') }),
    ...(options.sort !== undefined && { sort: options.sort as string }),
    ...(options.cursor !== undefined && { cursor: options.cursor as string }),
    ...(options.collapse === true && { collapse: true }),
    ...(options.explain === true && { explain: true }),
  }
  const answer = await withFilter(filters, () => client.search(question, { signal }))
  if (answer.index_behind)
    out.talk(`the index is ${count(answer.index_behind, 'op')} behind; the newest may be missing`)
  if (answer.damaged) out.talk(damagedText(answer.damaged))
  if (answer.partial) out.talk('the search was cut: it had taken too long, and not all is here')
  if (out.json) return out.value(answer)
  for (const { record, copies, parts } of answer.items) {
    await showRecord(out, record, copies ? `(and ${copies} ${copies === 1 ? 'copy' : 'copies'})` : '')
    if (parts && !out.quiet) await out.data(`    ${partsText(parts)}`)
  }
  if (out.quiet) return
  for (const [field, values] of Object.entries(answer.facets ?? {})) {
    await out.data(out.bold(oneLine(field)))
    for (const { value, count: n } of values) await out.data(`  ${String(n).padStart(7)}  ${valueText(value, 60)}`)
  }
  const shown = answer.items.length
  const total = `${answer.total_capped ? 'at least ' : ''}${count(answer.total, 'record')}`
  out.talk(
    `${shown} of ${total}${answer.next_cursor === undefined ? '' : `; more with --cursor ${answer.next_cursor}`}`,
  )
}

/** What adds up to a score, the largest first. */
function partsText(parts: Readonly<Record<string, number>>): string {
  const told = Object.entries(parts).filter(([, value]) => value !== 0)
  const sum = told.reduce((total, [, value]) => total + value, 0)
  const terms = told.sort(([, a], [, b]) => b - a).map(([name, value]) => `${name} ${value.toFixed(3)}`)
  return `${sum.toFixed(3)} = ${terms.join(' + ')}`
}
