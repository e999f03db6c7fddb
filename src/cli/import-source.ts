/**
 * import FORMAT SOURCE...: what others publish becomes records: pages behind an address, files, folders. Page after page
 * is read, looked through for secrets, stored, and noted, so that an import that was killed goes on where it was and a
 * later one asks only for what has changed. Nothing that a source names is fetched or run.
 */
import type { Client } from '../client.ts'
import { type CatalogueRecord, Grouping } from '../import/catalogue.ts'
import type { Converter, Found } from '../import/converter.ts'
import { converters } from '../import/converters.ts'
import { documentsOf, type SourceDocument } from '../import/documents.ts'
import { Progress } from '../import/progress.ts'
import { secretErrors } from '../import/secrets.ts'
import { progressRecords } from '../limits.ts'
import type { FieldError } from '../signed-write.ts'
import { type Context, connect } from './context.ts'
import { type Refused, report, send, type Tally, talkOf } from './import.ts'
import { EXIT, type ExitCode } from './output.ts'
import { count } from './show.ts'

type Totals = { entries: number; records: number; skipped: number; pages_unchanged: number; resumed: number }

export async function importSources(context: Context, format: string, sources: readonly string[]): Promise<ExitCode> {
  const { out, options } = context
  const tally: Tally = { kinds: new Map(), refused: [], sent: 0 }
  const totals: Totals = { entries: 0, records: 0, skipped: 0, pages_unchanged: 0, resumed: 0 }
  const start = performance.now()
  let stopped: unknown
  try {
    for (const source of sources) await importSource(context, format, source, tally, totals)
  } catch (error) {
    stopped = error
  }
  out.clearProgress()
  const stored = await report(out, totals, tally, (performance.now() - start) / 1000, options.dryRun === true)
  if (totals.skipped > 0) out.talk(`left out because their source has withdrawn or hidden them: ${totals.skipped}`)
  if (totals.pages_unchanged > 0) out.talk(`${count(totals.pages_unchanged, 'page')} as at the last import`)
  if (totals.resumed > 0) out.talk(`went on behind ${count(totals.resumed, 'record')} that the last import had stored`)
  if (stopped !== undefined) {
    out.talk('stopped; what was counted is stored, and a second run goes on from there')
    throw stopped
  }
  const nothing = stored === 0 && totals.pages_unchanged === 0 && totals.resumed === 0 && options.dryRun !== true
  return nothing || (options.strict && tally.refused.length > 0) ? EXIT.error : EXIT.ok
}

async function importSource(
  context: Context,
  format: string,
  source: string,
  tally: Tally,
  totals: Totals,
): Promise<void> {
  const { resolved, options, signal } = context
  const converter = converters[format] as Converter
  const client = options.dryRun ? undefined : await connect(context)
  // A dry run must not make a later one believe that something is stored.
  const notes = client === undefined ? 'dry run' : `${format} ${source} ${client.url} ${client.did ?? ''}`
  const progress = await Progress.open(resolved.settings.data, notes, options.restart === true || client === undefined)
  const given = { signal, ...(options.allowPrivate === true && { allowPrivate: true }) }
  // Small files that follow one another are stored together.
  let waiting: Waiting[] = []
  const flush = async () => {
    if (client !== undefined) await store(context, client, progress, waiting, tally, totals)
    waiting = []
  }
  for await (const document of documentsOf(converter, source, progress, totals, given)) {
    waiting.push({ document, records: recordsOf(context, format, document, tally, totals) })
    const records = waiting.reduce((sum, { records }) => sum + records.length, 0)
    if (document.isPage || records >= progressRecords || waiting.length >= progressRecords) await flush()
  }
  await flush()
}

type Waiting = { readonly document: SourceDocument; readonly records: readonly CatalogueRecord[] }

/** One document in parts that are noted, several at once and noted together. */
async function store(
  context: Context,
  client: Client,
  progress: Progress,
  waiting: readonly Waiting[],
  tally: Tally,
  totals: Totals,
): Promise<void> {
  const last = waiting.at(-1)?.document
  if (last === undefined) return
  const records = waiting.flatMap(({ records }) => records)
  const [first] = waiting as [Waiting, ...Waiting[]]
  const stored = Math.min(progress.storedOf(first.document.place, first.document.text), first.records.length)
  totals.resumed += stored
  for (let from = stored; from < records.length; from += progressRecords) {
    const some = records.slice(from, from + progressRecords)
    const before = tally.refused.length
    await send(context, client, { records: some }, tally)
    for (const refused of tally.refused.slice(before)) talkOf(context.out, refused)
    if (first.document === last) await progress.note(last.place, last.text, from + some.length)
  }
  await last.done()
}

function recordsOf(
  { out }: Context,
  format: string,
  { place, converted }: SourceDocument,
  tally: Tally,
  totals: Totals,
) {
  const grouping = new Grouping()
  const refuse = (refused: Refused) => {
    tally.refused.push(refused)
    talkOf(out, refused)
  }
  for (const found of converted.found) {
    totals.entries++
    const where = { file: place, line: 0, at: found.at, ...(found.name !== undefined && { name: found.name }) }
    if ('skipped' in found) {
      totals.skipped++
      continue
    }
    const errors = 'errors' in found ? found.errors : secretErrors(found.entry, found.original)
    if (errors.length > 0 || !('entry' in found)) {
      refuse({ ...where, reason: reasonOf(errors) })
      continue
    }
    const { slug } = found
    const refused = grouping.add({ ...where, json: entryOf(found, format), ...(slug !== undefined && { slug }) })
    if (refused !== undefined) refuse({ ...refused, ...where })
  }
  const { records } = grouping.catalogue()
  totals.records += records.length
  return records
}

function entryOf(found: Extract<Found, { readonly entry: unknown }>, format: string) {
  const { entry, original } = found
  if (original === undefined) return entry
  return { ...entry, originals: { ...(entry['originals'] as object | undefined), [format]: original } }
}

const REASONS_SHOWN = 10

function reasonOf(errors: readonly FieldError[]): string {
  const shown = errors
    .slice(0, REASONS_SHOWN)
    .map(({ pointer, message }) => (pointer === '' ? message : `${pointer}: ${message}`))
  return errors.length > REASONS_SHOWN
    ? `${shown.join('; ')}; and ${errors.length - REASONS_SHOWN} more`
    : shown.join('; ')
}
