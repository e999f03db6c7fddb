/** The fields of some kinds, for people who look for one: what the tables say and what the records have. */

import type { Field } from '../crdt/index.ts'
import { fieldsOf, type Kind } from '../crdt/index.ts'
import { REGISTER_FIELDS } from './filter-fields.ts'
import type { FieldFacts } from './search.ts'

export type ListedField = FieldFacts & {
  /** What the table calls its type, unit and note. Missing for a field that no table knows. */
  readonly type?: Field['type']
  readonly unit?: string
  readonly note?: string
}

export type ListedFields = {
  readonly fields: readonly ListedField[]
  /** Counting them was cut when it had cost too much. */
  readonly partial?: true
}

/** By path. A field of a table that no record has is listed too, without records. */
export function listFields(meant: readonly Kind[], facts: readonly FieldFacts[]): readonly ListedField[] {
  const defined = new Map(Object.entries(REGISTER_FIELDS))
  for (const { path, field } of meant.flatMap(fieldsOf))
    if (!defined.has(path.join('.'))) defined.set(path.join('.'), field)
  const found = new Map(facts.map((each) => [each.name, each]))
  const names = [...new Set([...defined.keys(), ...found.keys()])].sort()
  return names.map((name) => {
    const { type, unit, note } = defined.get(name) ?? {}
    const { types, records, values } = found.get(name) ?? { types: [], records: 0, values: [] }
    return {
      name,
      ...(type !== undefined && { type }),
      ...(unit !== undefined && { unit }),
      ...(note !== undefined && { note }),
      types,
      records,
      values,
    }
  })
}
