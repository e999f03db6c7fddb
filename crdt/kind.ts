/**
 * The vocabulary of a kind's table. A kind is data: the TypeScript type, the validator, the authoring rules, search
 * fields, facets and OpenAPI are all read from one table, and no code asks which kind it has.
 *
 * Merging never reads a table (SPEC.md, "Merge"): the table says how a change is *written*, not what it means.
 */

/** How a field is written: a whole value, a set of scalars, a map leaf by leaf, or collaborative text. */
export type Authoring = 'register' | 'set' | 'map' | 'text'
export type FieldType = 'string' | 'integer' | 'number' | 'boolean' | 'list' | 'map' | 'enum' | 'any'
/** How search treats a field. `words`: full text. `value`: filter, facet. `range`: filter with _gte and _lte, sort. */
export type FieldSearch = 'name' | 'words' | 'value' | 'range'

export type Field = {
  readonly type: FieldType
  readonly merge: Authoring
  readonly note: string
  readonly search?: FieldSearch
  /** Shown as a facet by default. */
  readonly facet?: true
  /** Of an enum: the known values. The enum is open: any other value is written {"Other": value} and equals it. */
  readonly values?: readonly string[]
  /** Of a list. */
  readonly items?: FieldType | { readonly type: FieldType; readonly values?: readonly string[] }
  /** Of a map with known keys; unknown keys are kept. */
  readonly fields?: Readonly<Record<string, Field>>
  readonly minimum?: number
  readonly format?: 'uri' | 'date' | 'spdx'
  /** Unit for people: 'ms', 'tokens', 'GB'. */
  readonly unit?: string
  /** A filter on this field also looks into that one (license -> licenses). */
  readonly also?: string
}

export type Kind = {
  readonly name: string
  readonly plural: string
  readonly note: string
  /** The seed's own name for the record id in JSON, such as model_id. */
  readonly idAlias?: string
  readonly fields: Readonly<Record<string, Field>>
}
