/**
 * diff: what changed between two moments of a record's history. The ops are fetched and checked here, and both moments
 * are merged here, so a node cannot tell another story about the past.
 *
 *   diff ID            what the newest ops changed, against what they build on
 *   diff ID OP         what that op changed
 *   diff ID OP..OP     from one op, with all it builds on, to another
 */
import {
  cidToOpId,
  type Doc,
  equalValues,
  isMap,
  merge,
  type Op,
  type OpId,
  type OwnerAuthority,
  opIdToCid,
  type Path,
  pointerOf,
  type Value,
  valueToJson,
} from '../../crdt/index.ts'
import type { Proven } from '../proof.ts'
import { type Context, connect } from './context.ts'
import { EXIT, Failure, oneLine } from './output.ts'
import { valueText } from './show.ts'

export type FieldChange = { readonly pointer: string; readonly before?: unknown; readonly after?: unknown }

export async function run(context: Context, reference: string, range: string | undefined): Promise<void> {
  const { out, signal } = context
  const client = await connect(context)
  const proven = await client.proven(reference, { signal })
  if (proven === undefined) throw new Failure(EXIT.notFound, `there is no record ${reference}`)
  const { from, to } = ends(proven, range)
  const { owner, judged } = proven.merged
  const authority = judged === undefined ? undefined : await client.authority.proven(owner, { signal })
  const changes = [...changesBetween(docAt(proven, from, authority), docAt(proven, to, authority))]
  if (out.json) return out.value({ from: from.map(opIdToCid), to: to.map(opIdToCid), changes })
  for (const { pointer, before, after } of changes) {
    if (out.quiet) await out.data(pointer)
    else {
      await out.data(out.bold(oneLine(pointer)))
      if (before !== undefined) await out.data(`- ${valueText(before, out.width ?? 4000)}`)
      if (after !== undefined) await out.data(`+ ${valueText(after, out.width ?? 4000)}`)
    }
  }
  if (changes.length === 0 && !out.quiet) out.talk('no difference')
}

type Ends = { readonly from: readonly OpId[]; readonly to: readonly OpId[] }

function ends({ ops, merged }: Proven, range: string | undefined): Ends {
  const parentsOf = (ids: readonly OpId[]) => [...new Set(ids.flatMap((id) => (ops.get(id) as Op).header.parents))]
  if (range === undefined) return { from: parentsOf(merged.heads), to: merged.heads }
  const [first = '', second, ...more] = range.split('..')
  if (more.length > 0) throw new Failure(EXIT.usage, `expected OP or OP..OP, got ${range}`)
  const start = opNamed(ops, first)
  if (second === undefined) return { from: parentsOf([start]), to: [start] }
  return { from: [start], to: second === '' ? merged.heads : [opNamed(ops, second)] }
}

function opNamed(ops: ReadonlyMap<OpId, Op>, text: string): OpId {
  const id = cidToOpId(text)
  if (id === undefined) throw new Failure(EXIT.usage, `${JSON.stringify(text)} is no op id; history lists them`)
  if (!ops.has(id)) throw new Failure(EXIT.notFound, `${text} is no op of this record`)
  return id
}

/**
 * The document as the given ops and all they build on make it; empty before the first. `authority`: the owner's, where
 * an op of the record relies on it. It is that of today: what was voided since is in neither moment.
 */
function docAt({ ops }: Proven, ids: readonly OpId[], authority: OwnerAuthority | undefined): Doc {
  const past = new Map<OpId, Op>()
  const open = [...ids]
  while (open.length > 0) {
    const id = open.pop() as OpId
    const op = ops.get(id)
    if (op === undefined || past.has(id)) continue
    past.set(id, op)
    open.push(...op.header.parents)
  }
  return past.size === 0 ? {} : merge([...past.values()], undefined, authority).doc
}

/** Leaf by leaf; lists and texts as a whole. */
export function* changesBetween(before: Doc, after: Doc, path: Path = []): Generator<FieldChange> {
  for (const key of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
    const at = [...path, key]
    const [was, is] = [own(before, key), own(after, key)]
    if (equalValues(was, is)) continue
    if (isMap(was) && isMap(is)) yield* changesBetween(was, is, at)
    else {
      yield {
        pointer: pointerOf(at),
        ...(was !== undefined && { before: valueToJson(was) }),
        ...(is !== undefined && { after: valueToJson(is) }),
      }
    }
  }
}

function own(map: Doc, key: string): Value | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined
}
