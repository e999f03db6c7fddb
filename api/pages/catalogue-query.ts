/**
 * The state of the catalogue page, all of it in its URL: kind, text, chosen values, order, place. A permalink is the
 * address bar, and the same filters mean the same in the JSON lists.
 */
import { findField, type Kind, kindOf, kinds, type Value } from '../../crdt/index.ts'
import { cursorBytesMax, filtersMax, queryBytesMax } from '../../node/index.ts'
import type { Problem } from '../problem.ts'

export type Chosen = { readonly name: string; readonly text: string }

export type CatalogueState = {
  readonly kind: Kind | undefined
  readonly text: string
  /** Values that are asked for, in the order of the URL. */
  readonly chosen: readonly Chosen[]
  readonly sort: string | undefined
  readonly cursor: string | undefined
  /** Whether copies of one thing under several publishers are one card; left out, as suits what is asked. */
  readonly copies: 'together' | 'apart' | undefined
}

const OWN = new Set(['kind', 'q', 'sort', 'cursor', 'copies'])

/** `fixed` is the kind that the path names. */
export function readState(query: URLSearchParams, fixed?: Kind): CatalogueState | Problem {
  const named = query.get('kind') ?? ''
  const kind = fixed ?? (named === '' ? undefined : kindOf(named))
  if (named !== '' && kind === undefined) {
    return wrong(`there is no kind of this name; there are ${Object.keys(kinds).join(', ')}`, '/kind')
  }
  const text = query.get('q') ?? ''
  if (new TextEncoder().encode(text).length > queryBytesMax) return wrong(`at most ${queryBytesMax} bytes`, '/q')
  const cursor = query.get('cursor') ?? undefined
  if (cursor !== undefined && !(cursor.length <= cursorBytesMax && /^[\x21-\x7e]+$/.test(cursor))) {
    return { problem: 'bad-cursor', detail: 'the address names a place that is not in this list' }
  }
  const chosen: Chosen[] = []
  for (const [name, value] of query) {
    if (OWN.has(name) || name === '' || value === '') continue
    if (!chosen.some((each) => each.name === name && each.text === value)) chosen.push({ name, text: value })
  }
  if (chosen.length > filtersMax) return wrong(`at most ${filtersMax} values at once`, '')
  const sort = query.get('sort') || undefined
  const asked = query.get('copies')
  const copies = asked === 'together' || asked === 'apart' ? asked : undefined
  return { kind, text, chosen, sort, cursor, copies }
}

/** The address of a state. The place in the list is only kept when nothing else changes, so callers name it. */
export function hrefOf(state: CatalogueState, changes: Partial<CatalogueState> = {}): string {
  const { kind, text, chosen, sort, cursor, copies } = { ...state, cursor: undefined, ...changes }
  const query = new URLSearchParams()
  if (kind !== undefined) query.set('kind', kind.name)
  if (text !== '') query.set('q', text)
  for (const { name, text: value } of chosen) query.append(name, value)
  if (sort !== undefined) query.set('sort', sort)
  if (copies !== undefined) query.set('copies', copies)
  if (cursor !== undefined) query.set('cursor', cursor)
  return query.size === 0 ? '/' : `/?${query}`
}

/** Who looks for something by name wants it once; who looks through a list wants what is in it. */
export function isTogether({ copies, text }: CatalogueState): boolean {
  return copies === undefined ? text !== '' : copies === 'together'
}

/** As the index takes them: a name that is chosen twice asks for both values. */
export function filtersOf(state: Pick<CatalogueState, 'kind' | 'chosen'>): Readonly<Record<string, Value>> | Problem {
  const filters: Record<string, Value> = Object.create(null)
  for (const name of new Set(state.chosen.map((each) => each.name))) {
    const values: Value[] = []
    for (const each of state.chosen) {
      if (each.name !== name) continue
      const value = typed(state.kind, name, each.text)
      if (value === undefined) return wrong(`${name} asks for a number`, `/${name}`)
      values.push(value)
    }
    filters[name] = values.length === 1 ? (values[0] as Value) : values
  }
  return filters
}

/** The table says whether `8192` is a number or a text. Over all kinds, the first table that knows the name does. */
function typed(kind: Kind | undefined, name: string, text: string): Value | undefined {
  const range = /_[gl]te$/.test(name)
  const tables = kind === undefined ? Object.values(kinds) : [kind]
  const type = tables
    .map((table) => findField(table, name) ?? (range ? findField(table, name.slice(0, -4)) : undefined))
    .find((placed) => placed !== undefined)?.field.type
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  if (!range && type !== 'integer' && type !== 'number' && type !== 'decimal') return text
  const number = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isFinite(number)) return number
  return range ? undefined : text
}

function wrong(detail: string, pointer: string): Problem {
  return { problem: 'bad-query', detail, errors: [{ pointer, message: detail }] }
}
