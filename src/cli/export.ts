/**
 * export: every record as JSON Lines, as get --json prints it. `publish` takes such a file back, here or elsewhere.
 */
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { finished, pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { kinds } from '../../crdt/index.ts'
import type { RecordJson } from '../answers.ts'
import type { Client } from '../client.ts'
import { kindNamed } from '../reference.ts'
import { type Context, connect } from './context.ts'
import { filterOf, withFilter } from './filter.ts'
import { EXIT, Failure } from './output.ts'
import { count } from './show.ts'

export async function run(context: Context): Promise<void> {
  const { bundle, owner, query } = context.options
  if (bundle !== undefined) return (await import('./bundle.ts')).exportBundle(context, bundle as string)
  if (owner ?? query) throw new Failure(EXIT.usage, '--owner and --query go with --bundle; without it there is --where')
  return withFilter(filterOf(context), () => exportAll(context))
}

async function exportAll(context: Context): Promise<void> {
  const { out, options } = context
  const client = await connect(context)
  let records = 0
  const lines = async function* () {
    for await (const line of linesOf(client, context)) {
      records++
      if (records % 500 === 0) out.progress(`${count(records, 'record')} ...`)
      yield line
    }
  }
  if (options.out === undefined) for await (const line of lines()) await out.data(line)
  else await writeWhole(options.out as string, lines)
  out.clearProgress()
  out.talk(count(records, 'record'))
}

async function* linesOf(client: Client, context: Context): AsyncGenerator<string> {
  const { options, out } = context
  const chosen = (options.kind as string[] | undefined) ?? Object.keys(kinds)
  for await (const record of recordsOf(client, chosen, context)) {
    yield out.quiet ? record.id : JSON.stringify(record)
  }
}

async function* recordsOf(client: Client, chosen: readonly string[], context: Context): AsyncGenerator<RecordJson> {
  const { signal } = context
  const filters = filterOf(context)
  if (filters === undefined) for (const kind of chosen) yield* client.list(kind, { signal })
  // Asked of all kinds at once, for a field may be one of some of them only.
  else yield* client.find({ kinds: chosen.map((kind) => kindNamed(kind)?.name ?? kind), filters }, { signal })
}

/** Under another name until it is whole, so that nobody takes half of it for all. */
async function writeWhole(path: string, lines: () => AsyncGenerator<string>): Promise<void> {
  const part = `${path}.part`
  const file = createWriteStream(part, { mode: 0o644 })
  try {
    const text = async function* () {
      for await (const line of lines()) yield `${line}\n`
    }
    if (path.endsWith('.gz')) await pipeline(text, createGzip(), file)
    else await pipeline(text, file)
    await finished(file)
    await rename(part, path)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}
