/** How a command tells that a record was written. */
import type { Client, Written } from '../client.ts'
import type { Context } from './context.ts'

const SAID: Readonly<Record<Written['outcome'], string>> = {
  created: 'created',
  changed: 'changed',
  removed: 'deleted',
  unchanged: 'unchanged: it says that already',
}

/** -q prints the id, --json the record as it is now, else its place and address. */
export async function finish(context: Context, client: Client, reference: string, written: Written): Promise<void> {
  const { out, signal } = context
  if (out.quiet) return out.data(written.id)
  if (written.outcome === 'removed') {
    if (out.json) return out.value({ id: written.id, outcome: 'deleted' })
    out.talk(`${reference} ${SAID.removed}; its history is kept`)
    return out.data(written.id)
  }
  const record = written.record ?? (await client.get(written.id, { signal }))
  if (out.json) return out.value(record)
  out.talk(`${record.kind}/${record.slug} ${SAID[written.outcome]}`)
  for (const pointer of Object.keys(record.conflicts ?? {})) out.talk(`in conflict: ${pointer} (see heads)`)
  await out.data(record.id)
}
