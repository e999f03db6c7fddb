/** Reading a document that a stranger wrote: a field may hold anything, or nothing. */
import { isMap, type Merged, type Value, type ValueMap } from '../../crdt/index.ts'
import { shortId } from './text.ts'

/** The value at a dotted path. */
export function valueAt(doc: ValueMap, path: string): Value | undefined {
  let at: Value | undefined = doc
  for (const segment of path.split('.')) {
    if (!isMap(at) || !Object.hasOwn(at, segment)) return undefined
    at = at[segment]
  }
  return at
}

/** Text that says something; an open enum's `{"Other": x}` is x. */
export function textAt(doc: ValueMap, path: string): string | undefined {
  const value = plain(valueAt(doc, path))
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

export function numberAt(doc: ValueMap, path: string): number | undefined {
  const value = valueAt(doc, path)
  return typeof value === 'number' ? value : undefined
}

export function plain(value: Value | undefined): Value | undefined {
  if (!isMap(value)) return value
  const keys = Object.keys(value)
  return keys.length === 1 && typeof value['Other'] === 'string' ? value['Other'] : value
}

/** What people call it; of a record that says nothing any more, the beginning and the end of its id. */
export function titleOf({ doc, slug, record }: Merged): string {
  return textAt(doc, 'display_name') ?? textAt(doc, 'name') ?? slug ?? shortId(record)
}
