/**
 * Manifests: what a person writes down about records, as YAML, JSON or JSON Lines, one or many. Every entry knows its
 * line, and the line of each of its fields, so that whatever is wrong is told where it stands.
 *
 *   kind: agent           which table it belongs to
 *   slug: night-shift     its identity in its owner's namespace; its name when left out
 *   name: Night shift     and every other field as the record will say it
 *
 * `{kind, slug, doc}` says the same with the fields under doc. A record as get or export prints it is taken too: what
 * the register added to it is left out.
 */
import { type Document, isMap, isSeq, LineCounter, parseAllDocuments, type Node as YamlNode } from 'yaml'
import { pathOf, RESERVED_FIELDS } from '../crdt/index.ts'

export type ManifestEntry = {
  readonly kind?: string
  readonly slug?: string
  readonly doc: Readonly<Record<string, unknown>>
  /** 1 is the file's first line. */
  readonly line: number
  /** The line of a field, by JSON Pointer into the record; of the nearest thing around it when it is missing. */
  readonly lineOf: (pointer: string) => number
}
export type Unreadable = { readonly line: number; readonly message: string }
export type Manifest = { readonly entries: readonly ManifestEntry[]; readonly unreadable: readonly Unreadable[] }

/** `name` is for its ending alone; without one of .json, .jsonl, .ndjson, .yaml and .yml the text is looked at. */
export function readManifest(text: string, name: string): Manifest {
  const clean = text.startsWith('\ufeff') ? text.slice(1) : text
  if (isJsonLines(clean, name)) return readJsonLines(clean)
  return readYaml(clean)
}

/** Many lines, each a JSON object of its own. A single one is JSON and YAML as well. */
function isJsonLines(text: string, name: string): boolean {
  if (/\.(jsonl|ndjson)(\.gz)?$/i.test(name)) return true
  if (/\.ya?ml$/i.test(name)) return false
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines.length > 1 && lines.slice(0, 2).every(isJsonObject)
}

function isJsonObject(line: string): boolean {
  if (!/^\s*\{/.test(line)) return false
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}

function readJsonLines(text: string): Manifest {
  const entries: ManifestEntry[] = []
  const unreadable: Unreadable[] = []
  for (const [at, source] of text.split('\n').entries()) {
    if (source.trim() === '') continue
    const line = at + 1
    try {
      collect(JSON.parse(source), line, () => line, entries, unreadable)
    } catch (error) {
      unreadable.push({ line, message: `not JSON: ${(error as Error).message}` })
    }
  }
  return { entries, unreadable }
}

/** YAML 1.2, which JSON is a part of: both come with positions, and with duplicate keys refused. */
function readYaml(text: string): Manifest {
  const counter = new LineCounter()
  const entries: ManifestEntry[] = []
  const unreadable: Unreadable[] = []
  const documents = parseAllDocuments(text, { lineCounter: counter, uniqueKeys: true, prettyErrors: false })
  for (const document of Array.isArray(documents) ? documents : []) {
    if (document.errors.length > 0) {
      for (const error of document.errors)
        unreadable.push({ line: counter.linePos(error.pos[0]).line, message: error.message })
      continue
    }
    if (document.contents === null) continue
    const items = isSeq(document.contents) ? document.contents.items : [document.contents]
    for (const item of items as YamlNode[]) {
      const line = lineOfNode(item, counter)
      let value: unknown
      try {
        // Aliases may repeat a block, not multiply one for ever.
        value = item.toJS(document as Document, { maxAliasCount: 100 })
      } catch (error) {
        unreadable.push({ line, message: (error as Error).message })
        continue
      }
      const lineOf = (path: readonly string[]) => lineOfPath(item, path, counter)
      collect(value, line, lineOf, entries, unreadable)
    }
  }
  return { entries, unreadable }
}

function collect(
  value: unknown,
  line: number,
  lineOf: (path: readonly string[]) => number,
  entries: ManifestEntry[],
  unreadable: Unreadable[],
): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    unreadable.push({ line, message: 'expected a map of fields' })
    return
  }
  const { kind, slug, doc, ...rest } = value as Record<string, unknown>
  if (kind !== undefined && typeof kind !== 'string') {
    unreadable.push({ line: lineOf(['kind']), message: '/kind: expected the name of a kind' })
    return
  }
  if (slug !== undefined && typeof slug !== 'string') {
    unreadable.push({ line: lineOf(['slug']), message: '/slug: expected text' })
    return
  }
  const wrapped = typeof doc === 'object' && doc !== null && !Array.isArray(doc) && Object.keys(rest).length === 0
  const fields = wrapped ? (doc as Record<string, unknown>) : doc === undefined ? rest : { doc, ...rest }
  entries.push({
    ...(kind !== undefined && { kind }),
    ...(slug !== undefined && { slug }),
    doc: isRecord(fields) ? withoutRegister(fields) : fields,
    line,
    lineOf: (pointer) => {
      const path = pathOf(pointer) ?? []
      return lineOf(wrapped && path[0] !== 'kind' && path[0] !== 'slug' ? ['doc', ...path] : path)
    },
  })
}

/** As a node answers it: with heads, and whose it is. */
function isRecord(fields: Record<string, unknown>): boolean {
  return Array.isArray(fields['heads']) && typeof fields['owner_id'] === 'string' && typeof fields['id'] === 'string'
}

function withoutRegister(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !RESERVED_FIELDS.includes(key)))
}

function lineOfPath(item: YamlNode, path: readonly string[], counter: LineCounter): number {
  let node: unknown = item
  let line = lineOfNode(item, counter)
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((one) => String((one.key as { value?: unknown })?.value) === key)
      if (pair === undefined) return line
      line = lineOfNode(pair.key as YamlNode, counter)
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(key)]
      if (node === undefined) return line
      line = lineOfNode(node as YamlNode, counter)
    } else return line
  }
  return line
}

function lineOfNode(node: YamlNode, counter: LineCounter): number {
  return node.range ? counter.linePos(node.range[0]).line : 1
}
