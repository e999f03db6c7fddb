/** The fields that a filter may name, as the tables define them, and the one that was probably meant. */
import { type Field, fieldsOf, findField, type Kind, kindOf, kinds } from '../crdt/index.ts'
import { editDistance } from './search-spell.ts'

const TEXT = { type: 'string', merge: 'register' } as const
const TIME = { type: 'integer', merge: 'register', format: 'time', unit: 'ms' } as const

/** What the register says of every record, in a table's words. */
export const REGISTER_FIELDS: Readonly<Record<string, Field>> = {
  id: { ...TEXT, note: "The record's id." },
  kind: { ...TEXT, note: 'Its kind.' },
  owner_id: { ...TEXT, note: 'DID of the key that owns it.' },
  slug: { ...TEXT, note: 'What its owner calls it.' },
  registered_at: { ...TIME, note: 'When it was registered.' },
  changed_at: { ...TIME, note: 'When it was last changed.' },
}

/** Another name of `provider`, or of `owner_id` for a DID. */
const OWNER: Field = { ...TEXT, note: 'Who publishes it.' }

export function kindsMeant(names: readonly string[] | undefined): readonly Kind[] {
  return names === undefined ? Object.values(kinds) : names.flatMap((name) => kindOf(name) ?? [])
}

/** The definitions of a field by its path or the last segment of one, one for each of the kinds that has it. */
export function fieldsNamed(meant: readonly Kind[], name: string): readonly Field[] {
  if (name === 'owner') return [OWNER]
  if (Object.hasOwn(REGISTER_FIELDS, name)) return [REGISTER_FIELDS[name] as Field]
  return meant.flatMap((kind) => findField(kind, name)?.field ?? [])
}

/** The field of these kinds whose name is the nearest, if two letters of five are right at least. */
export function nearestField(meant: readonly Kind[], name: string): string | undefined {
  const names = new Set(['owner', ...Object.keys(REGISTER_FIELDS)])
  for (const { path } of meant.flatMap(fieldsOf)) names.add(path.join('.')).add(path.at(-1) as string)
  const typed = name.slice(0, NAME_CHARS).toLowerCase()
  let best: string | undefined
  let least = Math.ceil(typed.length * 0.4)
  for (const candidate of names) {
    const edits = editDistance(typed, candidate, least)
    if (edits > least || (edits === least && best !== undefined)) continue
    best = candidate
    least = edits
  }
  return best
}

/** Longer names are none of a table's. */
const NAME_CHARS = 64
