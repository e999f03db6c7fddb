/**
 * The plainest index there is, filled with what a node lists, and asked what the node is asked: do they find the same?
 *
 * Every record is read over HTTP, so that nothing of the node's own index is believed. Of each answer the number of
 * records is compared and, of up to SET_MAX, which they are, page by page to the end.
 */
import { fitting, fromJson, kindOf, kinds, pluralOf, RESERVED_FIELDS, withNumbers } from '../crdt/index.ts'
import { readFilter } from '../node/filter.ts'
import { entryMatcher, fieldsNamed, type IndexEntry, kindsMeant, ScanIndex, type SearchQuery } from '../node/index.ts'

export type Asked = {
  readonly query: string
  readonly kind?: string
  /** By field, or in the filter language. */
  readonly filters?: Readonly<Record<string, unknown>> | string
}
type RecordJson = { readonly id: string; readonly kind: string; readonly [field: string]: unknown }
type Found = {
  readonly total: number
  readonly items: readonly { readonly record: RecordJson }[]
  readonly next_cursor?: string
  readonly partial?: true
}

const PAGE = 1_000
/** Larger sets would be all of the catalogue, hundreds of times. */
const SET_MAX = 2_000

export class SearchOracle {
  readonly #http: string
  readonly #index = new ScanIndex()
  readonly #entries: IndexEntry[] = []

  private constructor(http: string) {
    this.#http = http
  }

  static async fill(http: string): Promise<SearchOracle> {
    const oracle = new SearchOracle(http)
    await oracle.#index.reset('oracle')
    for (const { plural } of Object.values(kinds)) {
      for (let next: string | undefined = `/v1/${plural}?limit=${PAGE}`; next !== undefined; ) {
        const answer: Response = await asked(http + next)
        const { items } = (await answer.json()) as { items: RecordJson[] }
        const entries = items.map(entryOf)
        await oracle.#index.apply({ seq: 1, entries, removed: [] })
        oracle.#entries.push(...entries)
        next = /^<(.+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1]
      }
    }
    return oracle
  }

  /** Undefined when both find the same; else how they differ. */
  async difference(wish: Asked): Promise<string | undefined> {
    const wanted = await this.#wanted(wish)
    const first = await this.#page(wish)
    if (first.partial) return 'the node cut its answer'
    if (first.total !== wanted.total) return `${first.total} found of ${wanted.total}`
    if (wanted.ids === undefined) return undefined
    const found = new Set<string>()
    for (let page = first; ; page = await this.#page(wish, page.next_cursor)) {
      for (const { record } of page.items) found.add(record.id)
      if (page.next_cursor === undefined) break
    }
    const missing = [...wanted.ids].filter((id) => !found.has(id))
    if (missing.length === 0 && found.size === wanted.total) return undefined
    return `${found.size} listed of ${wanted.total}; lacks ${missing.length} such as ${missing[0]}`
  }

  async #page({ query, kind, filters }: Asked, cursor?: string): Promise<Found> {
    const path = kind === undefined ? '/v1/search' : `/v1/${pluralOf(kind)}/search`
    const body = JSON.stringify({ ...(query !== '' && { query }), filters, limit: PAGE, cursor })
    const answer = await asked(this.#http + path, body)
    if (!answer.ok) throw new Error(`${body}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as Found
  }

  /** Without `ids` when they are too many. */
  async #wanted({ query, kind, filters }: Asked): Promise<{ total: number; ids: readonly string[] | undefined }> {
    const only = kind === undefined ? undefined : [kind]
    const base: Omit<SearchQuery, 'limit'> = {
      ...(query !== '' && { query }),
      ...(only && { kinds: only }),
      ...(typeof filters === 'string'
        ? { where: expressionOf(filters, only) }
        : filters && { filters: filters as never }),
    }
    if (query === '') {
      const matches = entryMatcher(base)
      if ('problem' in matches) throw new Error(`${JSON.stringify(base)}: ${matches.problem}`)
      const ids = this.#entries.filter(matches).map(({ id }) => id)
      return { total: ids.length, ids: ids.length > SET_MAX ? undefined : ids }
    }
    const ids: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await this.#index.search({ ...base, limit: PAGE, ...(cursor !== undefined && { cursor }) })
      if ('problem' in page) throw new Error(`${JSON.stringify(base)}: ${page.problem}`)
      if (page.total > SET_MAX) return { total: page.total, ids: undefined }
      ids.push(...page.items.map(({ id }) => id))
      cursor = page.nextCursor
      if (cursor === undefined) return { total: page.total, ids }
    }
  }
}

/** Looking at every record takes so long that the node may have closed the connection meanwhile: then on another one. */
async function asked(url: string, body?: string): Promise<Response> {
  const request = body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body }
  return fetch(url, request).catch(() => fetch(url, request))
}

function expressionOf(filter: string, only: readonly string[] | undefined) {
  const read = readFilter(filter, (name) => fieldsNamed(kindsMeant(only), name))
  if ('problem' in read) throw new Error(`${filter}: ${read.problem} at ${read.position}`)
  return read.expression
}

function entryOf(record: RecordJson) {
  const own = Object.entries(record).filter(([name]) => !RESERVED_FIELDS.includes(name))
  const read = fromJson(Object.fromEntries(own))
  if (!read.ok) throw new Error(`${record.id} is no document`)
  const kind = kindOf(record.kind)
  return {
    id: record.id,
    kind: record.kind,
    owner: record['owner_id'] as string,
    slug: record['slug'] as string,
    doc: withNumbers(kind, fitting(kind, read.value)),
    registeredAt: record['registered_at'] as number,
    changedAt: record['changed_at'] as number,
  }
}

type Field = {
  readonly name: string
  readonly records: number
  readonly values: readonly { readonly value: unknown }[]
}

/** Filters of every form over the fields and values that a node lists: the same for the same catalogue. */
export async function filtersOver(http: string): Promise<Asked[]> {
  const filters: Asked[] = []
  for (const { name: kind, plural } of Object.values(kinds)) {
    const { fields } = (await (await asked(`${http}/v1/${plural}/fields`)).json()) as { fields: Field[] }
    const tests = fields.filter(({ records }) => records > 0).map(testsOf)
    for (const [at, some] of tests.entries()) {
      const [one, two] = [some[at % some.length] as string, (tests[(at + 1) % tests.length] as string[])[0] as string]
      const [three] = tests[(at + 5) % tests.length] as string[]
      const forms = [one, `not (${one} or ${two})`, `${one} and ${two} or not ${three}`]
      filters.push({ query: '', kind, filters: forms[at % forms.length] as string })
    }
  }
  return filters
}

/** Tests of one field, by what its values are. */
function testsOf({ name, values }: Field): string[] {
  const field = JSON.stringify(name)
  const numbers = values.flatMap(({ value }) => (typeof value === 'number' ? [value] : []))
  const texts = values.flatMap(({ value }) => (typeof value === 'string' ? [value] : []))
  const listed = values.slice(0, 3).map(({ value }) => JSON.stringify(value))
  return [
    `${field} exists`,
    ...(listed.length > 0 ? [`${field} in (${listed.join(', ')})`, `${field} != ${listed[0]}`] : []),
    ...(numbers.length > 0
      ? [`${field} in ${Math.min(...numbers)}..${Math.max(...numbers)}`, `${field} > ${numbers[0]}`]
      : []),
    ...(texts.length > 0
      ? [`${field} contains ${JSON.stringify(texts[0]?.slice(0, 4))}`, `${field} >= ${JSON.stringify(texts[0])}`]
      : []),
  ]
}
