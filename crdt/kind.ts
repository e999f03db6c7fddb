/**
 * The vocabulary of a kind's table. A kind is data: the TypeScript type, the validator, the authoring rules, search
 * fields, facets and OpenAPI are all read from one table, and no code asks which kind it has.
 *
 * Merging never reads a table (SPEC.md, "Merge"): the table says how a change is *written*, not what it means.
 * Every field is optional, for absent differs from any default, and a field that no table knows is kept as it is.
 */
import type { Path, Value } from './value.ts'

/**
 * How a field is written: a whole value, a set of scalars, a map leaf by leaf, or collaborative text.
 *
 * Members of a set come back in the order of their canonical bytes, so a list whose order says something is a
 * register. A value that does not fit its way of writing (an empty list, a repeated or nested member, a list where a
 * map was meant) is written as a register.
 */
export type Authoring = 'register' | 'set' | 'map' | 'text'
/** `decimal`: a number, or a string that reads as one, for amounts that must stay exact. */
export type FieldType = 'string' | 'integer' | 'number' | 'decimal' | 'boolean' | 'list' | 'map' | 'enum' | 'any'
/** How search treats a field. `words`: full text. `value`: filter, facet. `range`: filter with _gte and _lte, sort. */
export type FieldSearch = 'name' | 'words' | 'value' | 'range'

/** What a list holds. */
export type Items = {
  readonly type: FieldType
  readonly values?: readonly string[]
  readonly fields?: Readonly<Record<string, Field>>
}

export type Field = {
  readonly type: FieldType
  readonly merge: Authoring
  readonly note: string
  readonly search?: FieldSearch
  /** Of a field that is filtered by value: its words are found by full text too. */
  readonly words?: true
  /** Shown as a facet by default. */
  readonly facet?: true
  /** Of an enum: the known values. The enum is open: any other value is written {"Other": value} and equals it. */
  readonly values?: readonly string[]
  /** Of a list; left out, anything goes. */
  readonly items?: FieldType | Items
  /** Of a map with known keys; unknown keys are kept. */
  readonly fields?: Readonly<Record<string, Field>>
  /** Shapes that are as good: the seed writes `modality` as a list, other catalogues as a map. */
  readonly accepts?: readonly FieldType[]
  readonly minimum?: number
  /**
   * For people, documentation and filters; never a reason to refuse a value. `date`: a text whose order is that of
   * time; `time`: a number of the field's unit since 1970.
   */
  readonly format?: 'uri' | 'date' | 'spdx' | 'time' | 'markdown'
  /** Unit for people: 'ms', 'tokens', 'GB'. */
  readonly unit?: string
  /** A filter on this field also looks into that one (license -> licenses). */
  readonly also?: string
}

/** The protocols of others in which records of a kind are served and imported. */
export type Protocol = 'mcp' | 'a2a' | 'hub'

export type Kind = {
  readonly name: string
  readonly plural: string
  readonly note: string
  /** Which clients that people already have can read its records. For the faces alone; no rule of merging asks. */
  readonly serves?: readonly Protocol[]
  /** The seed's own name for the record id in JSON, such as model_id. */
  readonly idAlias?: string
  /** What a list shows of a record beside what all kinds share. */
  readonly card?: Card
  readonly fields: Readonly<Record<string, Field>>
}

/** Paths into the document, dotted. */
export type Card = {
  /** What sort of work it is for: the first of these that a record has. */
  readonly task?: readonly string[]
  /** How large it is: numbers, and lists for their length. */
  readonly size?: readonly string[]
}

/** A known value, any other text, or the form in which the seed writes an unlisted value. */
export type Open<Known extends string> = Known | (string & {}) | { readonly Other: string }

type Plain<T> = T extends 'string'
  ? string
  : T extends 'integer' | 'number'
    ? number
    : T extends 'decimal'
      ? number | string
      : T extends 'boolean'
        ? boolean
        : T extends 'list'
          ? readonly Value[]
          : T extends 'map'
            ? { readonly [key: string]: Value }
            : Value

type Typed<F> = F extends { readonly type: 'enum'; readonly values: readonly (infer V extends string)[] }
  ? Open<V>
  : F extends { readonly type: 'map'; readonly fields: infer Fields }
    ? FieldsOf<Fields>
    : F extends { readonly type: 'list'; readonly items: infer I }
      ? readonly (I extends string ? Plain<I> : Typed<I>)[]
      : F extends { readonly type: infer T }
        ? Plain<T>
        : Value

type Accepted<F> = F extends { readonly accepts: readonly (infer T)[] } ? Plain<T> : never

/** The fields of a table as a TypeScript type. */
export type FieldsOf<Fields> = { readonly [K in keyof Fields]?: Typed<Fields[K]> | Accepted<Fields[K]> }

/**
 * The document of a kind as a TypeScript type: `type Model = DocOf<typeof model>`. It describes what the table asks
 * for; a document from elsewhere is a `Doc` until `validate` has looked at it.
 */
export type DocOf<K extends Kind> = FieldsOf<K['fields']>

/** The field at a path, through maps with known keys; undefined for an unknown field and for what lies inside a list. */
export function fieldAt(kind: Kind | undefined, path: Path): Field | undefined {
  let fields = kind?.fields
  let field: Field | undefined
  for (const segment of path) {
    field = fields !== undefined && Object.hasOwn(fields, segment) ? fields[segment] : undefined
    if (field === undefined) return undefined
    fields = field.fields
  }
  return field
}

export type PlacedField = { readonly path: Path; readonly field: Field }

const placedByKind = new WeakMap<Kind, readonly PlacedField[]>()

/** Every field of a kind with its path, those of nested maps behind the map. The same array each time. */
export function fieldsOf(kind: Kind): readonly PlacedField[] {
  let placed = placedByKind.get(kind)
  if (placed === undefined) {
    placed = place([], kind.fields)
    placedByKind.set(kind, placed)
  }
  return placed
}

function place(under: Path, fields: Readonly<Record<string, Field>>): PlacedField[] {
  return Object.entries(fields).flatMap(([key, field]) => {
    const path = [...under, key]
    return [{ path, field }, ...place(path, field.fields ?? {})]
  })
}

/**
 * The field that a person means by `name`: a path (`resource_requirements.min_vram_gb`, also as a JSON Pointer), or
 * the last segment of one where no other field of the kind ends so. A field at the top level wins over nested ones.
 */
export function findField(kind: Kind, name: string): PlacedField | undefined {
  const path = name.startsWith('/') ? name.slice(1).split('/') : name.split('.')
  const exact = fieldAt(kind, path)
  if (exact !== undefined) return { path, field: exact }
  const ending = fieldsOf(kind).filter((placed) => placed.path.at(-1) === name)
  return ending.length === 1 ? ending[0] : undefined
}
