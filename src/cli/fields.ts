/** fields: what there is to filter, sort and count by. */
import { type Context, connect } from './context.ts'
import { oneLine } from './output.ts'
import { valueText } from './show.ts'

const VALUES_SHOWN = 4

export async function run(context: Context, kind: string | undefined): Promise<void> {
  const { out, signal } = context
  const client = await connect(context)
  const { fields, partial } = await client.fields(kind, { signal })
  for (const field of fields) {
    if (out.json) await out.value(field)
    else if (out.quiet) await out.data(field.name)
    else if (field.records > 0) await out.data(line(field))
  }
  const unused = fields.filter(({ records }) => records === 0)
  if (!out.json && !out.quiet && unused.length > 0)
    out.talk(oneLine(`no record has ${unused.map(({ name }) => name).join(', ')}`, 2_000))
  if (partial) out.talk('counting was cut when it had cost too much: not all fields and values are here')

  function line({ name, type, types, unit, records, values }: (typeof fields)[number]): string {
    const what = `${type ?? types.join(' or ')}${unit === undefined ? '' : ` (${unit})`}`
    const some = values.slice(0, VALUES_SHOWN).map(({ value, count: n }) => `${valueText(value, 30)} ${n}`)
    return `${out.bold(oneLine(name, 60).padEnd(40))} ${what.padEnd(18)} ${String(records).padStart(8)}  ${some.join(', ')}`
  }
}
