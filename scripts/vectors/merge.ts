/** Small records, each settling one question about merging; what is expected is written by hand beside it. */
import {
  type Body,
  type Conflict,
  encodeBody,
  encodeVerbs,
  merge,
  type Op,
  pureSha256,
  stateBytes,
  toHex,
  utf8,
  type Value,
  type Verb,
} from '../../crdt/index.ts'
import { letterId, toJson } from './json.ts'
import { mergeCases } from './merge-cases.ts'

/** `[type, parents as letters, what it says, w]`; bytes are a body as it stands. */
export type OpSketch = readonly [keyof typeof TYPES, string, Sketch?, number?]
type Sketch = Partial<Body> | readonly Verb[] | Uint8Array
/** Alternatives as `[op letter, value]`, more only where there is more to say; a value left out is absent. */
export type AlternativeSketch = readonly [string, Value?, { p?: readonly string[]; m?: Value }?]
export type MergeCase = {
  readonly comment: string
  readonly ops: Readonly<Record<string, OpSketch>>
  readonly heads: string
  /** Left out when the record is not live. */
  readonly doc?: Value
  readonly conflicts?: readonly (readonly [readonly string[], ...AlternativeSketch[]])[]
}

const TYPES = { genesis: 1, put: 2, patch: 3, delete: 4, unknown: 14 } as const
const SLUG = 'acme/thing'
const ACTOR = letterId('k')
const RECORD = letterId('r')

export function mergeVectors(): unknown {
  return {
    comment:
      'SPEC.md section 7. Ids, keys and proofs are made up: an op\'s id is 32 times the letter that the comment calls it by. All ops are of one record and actor; `body` is bytes in hex, `says` the same to read, unless it is long. `document` and `conflicts` are JSON, with {"/": {"bytes": base64}} for bytes; of an alternative, `v` is left out when it is absent, `p` when it is the conflict\'s path, `m` when it is no member. `state` is the state bytes in hex. The order of the ops must not matter.',
    record: RECORD,
    actor: ACTOR,
    owner: `01${ACTOR}`,
    kind: 'model',
    slug_hash: toHex(pureSha256(utf8(SLUG))),
    cases: mergeCases.map(vector),
  }
}

function vector({ comment, ops: sketches, heads, doc, conflicts = [] }: MergeCase): unknown {
  const ops = Object.entries(sketches).map(([letter, sketch]) => opOf(letter, sketch))
  const merged = merge(ops)
  const got = {
    live: merged.live,
    heads: merged.heads,
    document: toJson(merged.doc),
    conflicts: merged.conflicts.map(conflictJson),
  }
  const wanted = {
    live: doc !== undefined,
    heads: heads.split('').map(letterId),
    document: toJson(doc ?? {}),
    conflicts: conflicts.map(([path, ...alternatives]) => ({
      path,
      alternatives: alternatives.map(([letter, value, more = {}]) => ({
        a: ACTOR,
        o: letterId(letter),
        w: sketches[letter]?.[3] ?? 0,
        ...(value === undefined ? {} : { v: toJson(value) }),
        ...(more.p === undefined ? {} : { p: more.p }),
        ...(more.m === undefined ? {} : { m: toJson(more.m) }),
      })),
    })),
  }
  if (canonical(got) !== canonical(wanted)) {
    throw new Error(`${comment}\nwanted ${canonical(wanted)}\ngot    ${canonical(got)}`)
  }
  const said = Object.values(sketches).map(([, , says]) =>
    says instanceof Uint8Array || JSON.stringify(says ?? null).length > 4000 ? undefined : toJson(says as Value),
  )
  return {
    comment,
    ops: ops.map(({ id, header, body }, i) => ({
      id,
      type: header.type,
      parents: header.parents,
      w: header.w,
      body: toHex(body),
      ...(said[i] === undefined ? {} : { says: said[i] }),
    })),
    ...got,
    state: toHex(stateBytes(merged)),
  }
}

export function conflictJson({ path, alternatives }: Conflict): unknown {
  return {
    path,
    alternatives: alternatives.map(({ actor, op, w, value, path, member }) => ({
      a: actor,
      o: op,
      w,
      ...(value === undefined ? {} : { v: toJson(value) }),
      ...(path === undefined ? {} : { p: path }),
      ...(member === undefined ? {} : { m: toJson(member) }),
    })),
  }
}

function opOf(letter: string, [type, parents, says, w = 0]: OpSketch): Op {
  const body = bodyOf(type, says)
  const genesis = { owner: `01${ACTOR}`, kind: 'model', slugHash: toHex(pureSha256(utf8(SLUG))) }
  const header = {
    net: '00'.repeat(16),
    type: TYPES[type],
    record: RECORD,
    actor: ACTOR,
    parents: parents.split('').map(letterId),
    w,
    bodyLength: body.length,
    bodyHash: toHex(pureSha256(body)),
    ...(type === 'genesis' ? { genesis } : {}),
  }
  return { id: letterId(letter), header, body }
}

function bodyOf(type: keyof typeof TYPES, says: Sketch | undefined): Uint8Array {
  if (says instanceof Uint8Array) return says
  if (type === 'delete') return new Uint8Array()
  if (Array.isArray(says)) return encodeVerbs(says as readonly Verb[])
  return encodeBody({ f: [], s: [], t: [], ...(says as Partial<Body>) })
}

/** Maps in one order of keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  )
}
