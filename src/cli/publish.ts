/**
 * publish: manifests become records. Bad entries are listed with file, line and field; the rest goes in.
 *
 * Without a key the node signs; with --key this side does, and the node sees signed ops only.
 */
import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { fromJson, isSlug, kinds, validate } from '../../crdt/index.ts'
import type { Entry } from '../client.ts'
import { closest } from '../closest.ts'
import { manifestBytesMax } from '../limits.ts'
import { type ManifestEntry, readManifest } from '../manifest.ts'
import { kindNamed } from '../reference.ts'
import type { FieldError } from '../signed-write.ts'
import { type Context, connect } from './context.ts'
import { EXIT, type ExitCode, Failure } from './output.ts'
import { count } from './show.ts'

type Item = { readonly file: string; readonly entry: ManifestEntry; readonly publish: Entry }
type Bad = { readonly file: string; readonly line: number; readonly pointer?: string; readonly message: string }

export async function run(context: Context, files: readonly string[]): Promise<ExitCode> {
  const { out, options, signal } = context
  const good: Item[] = []
  const bad: Bad[] = []
  for (const file of files) {
    const { entries, unreadable } = readManifest(await readText(context, file), file)
    for (const one of unreadable) bad.push({ file, ...one })
    for (const entry of entries) {
      const errors: FieldError[] = []
      const publish = check(entry, options.kind as string | undefined, errors)
      for (const { pointer, message } of errors) bad.push({ file, line: entry.lineOf(pointer), pointer, message })
      if (publish !== undefined && errors.length === 0) good.push({ file, entry, publish })
    }
  }
  const counts = { created: 0, merged: 0, unchanged: 0 }
  if (good.length > 0 && !options.dryRun) {
    const client = await connect(context)
    const rules = { ...(options.replace === true && { replace: true }), signal }
    const outcomes = await client.publish(
      good.map((item) => item.publish),
      rules,
    )
    for (const [at, { id, outcome, error }] of outcomes.entries()) {
      const { file, entry, publish } = good[at] as Item
      if (outcome === 'refused') {
        const errors = error?.errors.length ? error.errors : [{ pointer: '', message: error?.message ?? 'refused' }]
        for (const { pointer, message } of errors) bad.push({ file, line: entry.lineOf(pointer), pointer, message })
        continue
      }
      counts[outcome]++
      const kind = kindNamed(publish.kind)
      const slug = publish.slug ?? publish.doc['name']
      if (out.quiet) await out.data(id ?? '')
      else if (out.json) await out.value({ id, outcome, kind: kind?.name, slug })
      else await out.data(`${id}  ${outcome.padEnd(9)}  ${kind?.name}/${slug}`)
    }
    if (!out.quiet && !out.json && counts.created === 1 && good.length === 1) {
      const plural = kindNamed(good[0]?.publish.kind ?? '')?.plural
      out.talk(`${client.url}/v1/${plural}/${outcomes[0]?.id}`)
    }
  }
  for (const { file, line, pointer, message } of bad) {
    out.talk(`${file}:${line}: ${pointer ? `${pointer}: ` : ''}${message}`)
  }
  const stored = counts.created + counts.merged + counts.unchanged
  const parts = Object.entries(counts).flatMap(([name, n]) => (n > 0 ? [`${n.toLocaleString('en-US')} ${name}`] : []))
  if (options.dryRun)
    out.talk(`${count(good.length, 'entry').replace(/entrys$/, 'entries')} would go in; nothing was sent`)
  else out.talk([...parts, ...(bad.length > 0 ? [`${bad.length} refused`] : [])].join(', ') || 'nothing to publish')
  if (bad.length === 0) return EXIT.ok
  return stored === 0 || options.strict || options.dryRun ? EXIT.error : EXIT.ok
}

/** What can be said before a node is asked: a known kind, a name, fields that fit its table. */
function check(entry: ManifestEntry, defaultKind: string | undefined, errors: FieldError[]): Entry | undefined {
  const named = entry.kind ?? defaultKind
  const kind = named === undefined ? undefined : kindNamed(named)
  if (kind === undefined) {
    const near = named === undefined ? undefined : closest(named, Object.keys(kinds))
    const hint = near === undefined ? `expected one of ${Object.keys(kinds).join(', ')}` : `did you mean ${near}?`
    errors.push({
      pointer: '/kind',
      message: named === undefined ? `missing; ${hint}` : `unknown kind ${named}; ${hint}`,
    })
    return undefined
  }
  const slug = entry.slug ?? entry.doc['name']
  if (typeof slug !== 'string' || !isSlug(slug)) {
    const pointer = entry.slug === undefined ? '/name' : '/slug'
    errors.push({
      pointer,
      message:
        slug === undefined ? 'a record needs a name, or a slug' : 'expected 1 to 256 bytes of text that is not blank',
    })
  }
  const read = fromJson(entry.doc)
  errors.push(...(read.ok ? validate(kind, read.value) : read.errors))
  return { kind: kind.name, doc: entry.doc, ...(entry.slug !== undefined && { slug: entry.slug }) }
}

async function readText({ stdin }: Context, file: string): Promise<string> {
  let bytes: Buffer
  try {
    bytes = file === '-' ? await buffer(stdin) : await readFile(file)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new Failure(code === 'ENOENT' ? EXIT.notFound : EXIT.error, code === 'ENOENT' ? `no file ${file}` : message, {
      cause,
    })
  }
  if (file.endsWith('.gz')) bytes = gunzipSync(bytes, { maxOutputLength: manifestBytesMax })
  if (bytes.length > manifestBytesMax)
    throw new Failure(EXIT.error, `${file} is larger than ${manifestBytesMax} bytes; use import`)
  return bytes.toString('utf8')
}
