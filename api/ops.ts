/**
 * Signed ops over HTTP, for publishers who hold their own key. No token: a signature says who speaks, and every op
 * gets its verdict.
 *
 * The body is one frame as it stands (SPEC.md, "Batches and frames"), or several as a CBOR array of byte strings,
 * canonical: `encode([frame, frame, ...])` of crdt/.
 */
import type { Context } from 'hono'
import { cidToOpId, decode, opIdToCid, type Value } from '../crdt/index.ts'
import { httpBatchBytesMax, MAIN_TOKEN, type NodeFace } from '../node/index.ts'
import { CBOR_TYPES, readBody } from './body.ts'
import { noneMatch, textTag } from './etag.ts'
import { describe, notModified, ok, okTyped, parameters, problems, requestBody, schema } from './openapi-parts.ts'
import { type Answer, jsonAnswer, type Route, segmentsOf, typedAnswer, type Visit } from './route.ts'

export function opRoutes(node: NodeFace): Route[] {
  const about = describe('ops')
  const bytes = { type: 'string', contentMediaType: 'application/cbor' }
  return [
    {
      method: 'POST',
      path: '/v1/ops',
      open: true,
      handle: (c, visit) => post(node, c, visit),
      operation: about(
        'post_ops',
        'Takes signed frames from those who hold their own key',
        [],
        {
          ...ok(
            'A verdict for every op, then one for every frame that was refused as a whole. Reasons `blocked`, `quota` and `crowded` are this node’s policy: another may take the op, or this one later',
            schema('Verdicts'),
          ),
          ...problems('bad-request', 'too-large', 'unsupported-type', 'busy'),
        },
        requestBody(bytes, CBOR_TYPES, 'One frame as it stands, or a canonical CBOR array of frames as byte strings.'),
      ),
    },
    {
      method: 'GET',
      path: '/v1/ops/{op}',
      handle: (c) => get(node, c),
      operation: about(
        'get_op',
        'Reads the frame that carries and proves one op',
        [parameters.op, parameters.ifNoneMatch],
        {
          ...notModified,
          ...okTyped('A frame, exactly as peers exchange it', { 'application/cbor': bytes }),
          ...problems('not-found'),
        },
      ),
    },
  ]
}

async function post(node: NodeFace, c: Context, visit: Visit): Promise<Answer> {
  const body = await readBody(c, { bytesMax: httpBatchBytesMax, types: CBOR_TYPES, trusted: false })
  if (!(body instanceof Uint8Array)) return body
  if (body.length === 0)
    return { problem: 'bad-request', detail: 'the body is empty; expected one frame or a CBOR array of frames' }
  // The operator's own token is bound by no quota.
  const source = { via: 'http', trusted: visit.access?.name === MAIN_TOKEN } as const
  const admitted = await node.replica.admit(framesOf(body), source, { sync: true })
  visit.charge(admitted.results.length + admitted.refusedFrames.length - 1, true)
  const results = [
    ...admitted.results.map(({ op, verdict, reason }) => ({
      op: opIdToCid(op),
      verdict,
      ...(reason !== undefined && { reason }),
    })),
    ...admitted.refusedFrames.map(({ at, reason }) => ({ frame: at, verdict: 'refused', reason })),
  ]
  return jsonAnswer(JSON.stringify({ results }))
}

/** Whatever is no array of byte strings is taken for one frame, and judged as one. */
function framesOf(body: Uint8Array): readonly Uint8Array[] {
  if (looksLikeFrame(body)) return [body]
  const read = decode(body)
  const list: Value = read.ok ? read.value : null
  return Array.isArray(list) && list.every((item) => item instanceof Uint8Array) ? (list as Uint8Array[]) : [body]
}

/** A frame is an array of six, first a key of 32 bytes, then a number: seen without decoding it twice. */
function looksLikeFrame(body: Uint8Array): boolean {
  const UNSIGNED_MAX = 0x1b
  return body[0] === 0x86 && body[1] === 0x58 && body[2] === 0x20 && (body[35] ?? 0xff) <= UNSIGNED_MAX
}

const LASTING = { 'cache-control': 'public, max-age=86400' }

async function get(node: NodeFace, c: Context): Promise<Answer> {
  const id = cidToOpId(segmentsOf(c)?.[2] ?? '')
  const [frame] = id === undefined ? [] : (await node.replica.frames([id])).frames
  if (frame === undefined) return { problem: 'not-found', detail: 'there is no such op here' }
  // An op never changes, but which frame proves it may: a batch can be stored in parts.
  const etag = textTag(frame)
  if (noneMatch(c.req.header('if-none-match'), etag))
    return typedAnswer(frame, 'application/cbor', { etag, ...LASTING })
  return new Response(null, { status: 304, headers: { etag, ...LASTING } })
}
