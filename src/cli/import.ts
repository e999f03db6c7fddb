/**
 * import: catalogue files become records. Nothing of it is fatal: an entry that cannot be one is listed with its place
 * and reason, the rest goes in, and running it again changes nothing.
 *
 * Entries of one record may stand in several files, so all files are read before the first record is sent; then a few
 * batches travel at once, for the node stores one while the next is on its way. What a batch's answer says is durable.
 */
import { access, open } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { valueToJson } from '../../crdt/index.ts'
import { batches, type Client, type Entry, type Published } from '../client.ts'
import { ClientError } from '../client-error.ts'
import { type Catalogue, type CatalogueRecord, type EntryPlace, Grouping, readEntries } from '../import/catalogue.ts'
import { linesOfFile } from '../import/lines.ts'
import { batchesInFlight, busyTriesMax } from '../limits.ts'
import { type Context, connect } from './context.ts'
import { EXIT, type ExitCode, Failure, type Output, oneLine } from './output.ts'
import { count } from './show.ts'

export type Counts = { created: number; merged: number; unchanged: number; refused: number }
export type Refused = EntryPlace & { readonly reason: string; readonly name?: string }
export type Tally = { readonly kinds: Map<string, Counts>; readonly refused: Refused[]; sent: number }

/** `import FILE...` reads catalogue files; `import FORMAT SOURCE...` reads what others publish, where they do. */
export async function run(context: Context, files: readonly string[]): Promise<ExitCode> {
  const { out, options } = context
  const [format = '', ...sources] = files
  if (sources.length > 0) {
    const { converters } = await import('../import/converters.ts')
    if (Object.hasOwn(converters, format)) {
      const { importSources } = await import('./import-source.ts')
      return importSources(context, format, sources)
    }
  }
  for (const file of files) await mustExist(file)
  if (await beginsAsBundle(files[0]!)) return (await import('./bundle.ts')).importBundles(context, files)
  const client = options.dryRun ? undefined : await connect(context)
  const catalogue = await readAll(out, files)
  const tally: Tally = { kinds: new Map(), refused: [...catalogue.refused], sent: 0 }
  const start = performance.now()
  let stopped: unknown
  if (client !== undefined) {
    await send(context, client, catalogue, tally).catch((error: unknown) => {
      stopped = error
    })
  }
  out.clearProgress()
  const seconds = (performance.now() - start) / 1000
  for (const refused of tally.refused) talkOf(out, refused)
  const counted = { entries: catalogue.entries, records: catalogue.records.length }
  const stored = await report(out, counted, tally, seconds, client === undefined)
  if (stopped !== undefined) {
    out.talk('stopped; what was counted is stored, and a second run does the rest')
    throw stopped
  }
  if (client === undefined) return tally.refused.length > 0 && options.strict ? EXIT.error : EXIT.ok
  return stored === 0 || (options.strict && tally.refused.length > 0) ? EXIT.error : EXIT.ok
}

/** Seen from a few bytes; what reads bundles is loaded only for them. */
async function beginsAsBundle(file: string): Promise<boolean> {
  if (file === '-') return false
  await using handle = await open(file)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(16), 0, 16, 0)
  return buffer.toString('latin1', 0, bytesRead) === 'peerage/1/bundle'
}

async function mustExist(file: string): Promise<void> {
  if (file === '-') return
  await access(file).catch((cause: NodeJS.ErrnoException) => {
    throw new Failure(EXIT.notFound, cause.code === 'ENOENT' ? `no file ${file}` : cause.message, { cause })
  })
}

async function readAll(out: Output, files: readonly string[]): Promise<Catalogue> {
  const grouping = new Grouping()
  let entries = 0
  for (const file of files) {
    for await (const entry of readEntries(linesOfFile(file), file)) {
      grouping.add(entry)
      if (++entries % 1000 === 0) out.progress(`reading ${file}: ${count(entries, 'line')}`)
    }
  }
  return grouping.catalogue()
}

export function talkOf(out: Output, refused: Refused): void {
  const name = refused.name === undefined ? '' : ` (${oneLine(refused.name, 60)})`
  out.talk(`${placeOf(refused)}: refused${name}: ${refused.reason}`)
}

/** Every record is stored or counted as refused when this resolves. */
export async function send(
  context: Context,
  client: Client,
  { records }: Pick<Catalogue, 'records'>,
  tally: Tally,
): Promise<void> {
  const { out } = context
  const start = performance.now()
  // Read by all lanes: each takes the next batch when its last one is answered.
  const waiting = batches(entriesOf(records))
  const lane = async () => {
    for (const { from, lines } of waiting) {
      const answers = await sendBatch(context, client, records.slice(from, from + lines.length), lines)
      for (const [n, answer] of answers.entries()) note(tally, records[from + n] as CatalogueRecord, answer)
      const rate = Math.round(tally.sent / ((performance.now() - start) / 1000))
      out.progress(
        `${tally.sent.toLocaleString('en-US')} of ${count(records.length, 'record')}, ${rate.toLocaleString('en-US')}/s`,
      )
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: batchesInFlight }, lane))
  const failed = lanes.find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
}

/** A node that is busy is asked again; everything else ends the import. */
async function sendBatch(
  { signal }: Context,
  client: Client,
  records: readonly CatalogueRecord[],
  lines: readonly string[],
): Promise<readonly Published[]> {
  const options = { lenient: true, signal }
  for (let tries = 1; ; tries++) {
    try {
      if (client.did === undefined) return await client.batch(lines, options)
      return await client.publish([...entriesOf(records)], options)
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== 'busy' || tries === busyTriesMax) throw error
      await delay(250 * 2 ** tries, undefined, { signal })
    }
  }
}

function* entriesOf(records: readonly CatalogueRecord[]): Generator<Entry> {
  for (const { kind, slug, doc } of records) yield { kind, slug, doc: valueToJson(doc) as Record<string, unknown> }
}

function note(tally: Tally, record: CatalogueRecord, { outcome, error }: Published): void {
  countsOf(tally, record.kind)[outcome]++
  tally.sent++
  if (outcome !== 'refused') return
  const [first] = error?.errors ?? []
  const reason = first === undefined ? (error?.message ?? 'no reason given') : `${first.pointer}: ${first.message}`
  tally.refused.push({ ...(record.from[0] as EntryPlace), reason, name: record.slug })
}

function countsOf(tally: Tally, kind: string): Counts {
  const counts = tally.kinds.get(kind) ?? { created: 0, merged: 0, unchanged: 0, refused: 0 }
  tally.kinds.set(kind, counts)
  return counts
}

/** Counts by kind, and totals on the last line. Answers how many records are stored. */
export async function report(
  out: Output,
  counted: { readonly entries: number; readonly records: number },
  tally: Tally,
  seconds: number,
  dry: boolean,
): Promise<number> {
  const total: Counts = { created: 0, merged: 0, unchanged: 0, refused: 0 }
  for (const counts of tally.kinds.values()) for (const key of OUTCOMES) total[key] += counts[key]
  const stored = total.created + total.merged + total.unchanged
  const rate = Math.round(tally.sent / Math.max(seconds, 0.001))
  const refused = tally.refused.length
  if (out.json) {
    await out.value({
      ...counted,
      stored,
      ...total,
      refused,
      kinds: Object.fromEntries(tally.kinds),
      refusals: tally.refused,
      seconds: Number(seconds.toFixed(3)),
      records_per_second: rate,
    })
    return stored
  }
  if (out.quiet) return stored
  if (dry) {
    await out.data(
      `${count(counted.records, 'record')} from ${counted.entries.toLocaleString('en-US')} entries would go in; ${refused} refused; nothing was sent`,
    )
    return stored
  }
  for (const [kind, counts] of [...tally.kinds].sort()) await out.data(`${kind.padEnd(12)} ${said(counts)}`)
  const speed = `${seconds.toFixed(1)} s, ${rate.toLocaleString('en-US')} records/s`
  await out.data(
    `${count(stored, 'record')} of ${counted.entries.toLocaleString('en-US')} entries: ${said({ ...total, refused })}; ${speed}`,
  )
  return stored
}

const OUTCOMES = ['created', 'merged', 'unchanged', 'refused'] as const

function said(counts: Counts): string {
  return OUTCOMES.map((outcome) => `${counts[outcome].toLocaleString('en-US')} ${outcome}`).join(', ')
}

function placeOf({ file, line, at }: EntryPlace): string {
  if (at !== undefined) return at === '' ? (file ?? '-') : `${file ?? '-'}#${at}`
  return `${file ?? '-'}:${line}`
}
