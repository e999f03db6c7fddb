/**
 * GET /v1/fields and /v1/{kinds}/fields: which fields there are to filter, sort and count by, of what type, and their
 * commonest values.
 *
 * Counting every field is a look at the whole index, so an answer is kept: until something changes, and under writes
 * for as long as keeps the counting to a twentieth of the time.
 */
import { kinds, valueToJson } from '../crdt/index.ts'
import type { ListedField, NodeFace } from '../node/index.ts'
import { describe, ok, problems, schema } from './openapi-parts.ts'
import { jsonAnswer, type Route } from './route.ts'

const KEPT_FACTOR = 20

export function fieldRoutes(node: NodeFace): Route[] {
  const lists = new Map(['', ...Object.keys(kinds)].map((kind) => [kind, new FieldList(node, kind)]))
  const handle = (kind: string) => async () => jsonAnswer(await (lists.get(kind) as FieldList).text())
  const answers = { ...ok('Fields by path', schema('Fields')), ...problems('unavailable') }
  return [
    ...Object.values(kinds).map(
      ({ name, plural }): Route => ({
        method: 'GET',
        path: `/v1/${plural}/fields`,
        kind: name,
        handle: handle(name),
        operation: describe(plural)(`fields_${plural}`, `Lists the fields of ${plural}`, [], answers),
      }),
    ),
    {
      method: 'GET',
      path: '/v1/fields',
      handle: handle(''),
      operation: describe('search')('fields', 'Lists the fields of all kinds', [], answers),
    },
  ]
}

class FieldList {
  readonly #node: NodeFace
  readonly #kinds: readonly string[] | undefined
  #kept: { readonly text: Promise<string>; seq: number; until: number } | undefined

  constructor(node: NodeFace, kind: string) {
    this.#node = node
    this.#kinds = kind === '' ? undefined : [kind]
  }

  text(): Promise<string> {
    const { seq } = this.#node.replica.counts()
    const kept = this.#kept
    if (kept && (kept.seq === seq || performance.now() < kept.until)) return kept.text
    const start = performance.now()
    // While it is being counted, everybody waits for the same.
    const made = { text: this.#count(), seq, until: Number.POSITIVE_INFINITY }
    this.#kept = made
    made.text.then(
      () => {
        made.until = performance.now() + (performance.now() - start) * KEPT_FACTOR
      },
      () => {
        this.#kept = undefined
      },
    )
    return made.text
  }

  async #count(): Promise<string> {
    const { fields, partial } = await this.#node.catalogue.fields(this.#kinds)
    return JSON.stringify({ fields: fields.map(toJson), ...(partial && { partial }) })
  }
}

function toJson({ values, ...field }: ListedField) {
  return { ...field, values: values.map(({ value, count }) => ({ value: valueToJson(value), count })) }
}
