/**
 * Reads of one record by its id, the request that a node gets most: answered on Node's own request and response where
 * nothing about it is special and the record is in memory. It asks the same gate, sends the same bytes and counts the
 * same as its route in records.ts; whatever else is asked goes that way. Half of what a request costs is saved.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isHex, type Kind, kinds, type Merged } from '../crdt/index.ts'
import type { NodeFace } from '../node/index.ts'
import { etagOf, noneMatch } from './etag.ts'
import { recordText } from './records.ts'
import { FIXED, type Gate } from './route.ts'

const ID_DIGITS = 64

type Prepared = {
  readonly etag: string
  readonly text: string
  /** Name after name and value. */
  readonly headers: readonly string[]
  readonly unchanged: readonly string[]
}

/** Made once for as long as the replica keeps the same merged record in memory. */
const prepared = new WeakMap<Merged, Prepared>()

function answerOf(record: Merged, kind: Kind): Prepared {
  let answer = prepared.get(record)
  if (answer === undefined) {
    const etag = etagOf(record)
    const text = recordText(record, kind)
    const length = String(Buffer.byteLength(text))
    answer = {
      etag,
      text,
      headers: [
        'etag',
        etag,
        ...Object.entries(FIXED).flat(),
        'content-type',
        'application/json',
        'content-length',
        length,
      ],
      unchanged: ['etag', etag, 'cache-control', FIXED['cache-control'] as string],
    }
    prepared.set(record, answer)
  }
  return answer
}

/** Answers true when it has answered. */
export function quickReads(
  node: NodeFace,
  gate: Gate,
): (incoming: IncomingMessage, outgoing: ServerResponse) => boolean {
  const paths = new Map<string, { readonly kind: Kind; readonly route: string; readonly hasPage: boolean }>()
  for (const kind of Object.values(kinds)) {
    // Below /v1 everything is for programs; the shorter form is also what a browser is led to.
    for (const [at, hasPage] of [
      [`/v1/${kind.plural}/`, false],
      [`/${kind.plural}/`, true],
    ] as const) {
      paths.set(at, { kind, route: `${at}{id}`, hasPage })
    }
  }
  return (incoming, outgoing) => {
    const start = performance.now()
    const { method, url = '' } = incoming
    if (method !== 'GET') return false
    const at = paths.get(url.slice(0, -ID_DIGITS))
    const id = url.slice(-ID_DIGITS)
    if (at === undefined || !isHex(id, ID_DIGITS)) return false
    const record = node.replica.peek(id)
    if (record === undefined || !record.live || record.kind !== at.kind.name) return false
    const wanted = incoming.headers['if-none-match']
    const answer = answerOf(record, at.kind)
    const headers = gate.passes(incoming, at.hasPage)
    if (headers === undefined) return false
    const isNew = wanted === undefined || noneMatch(wanted, answer.etag)
    outgoing.writeHead(isNew ? 200 : 304, headers.concat(isNew ? answer.headers : answer.unchanged))
    outgoing.end(isNew ? answer.text : '')
    const seconds = (performance.now() - start) / 1000
    node.countRequest?.({ method, route: at.route, status: isNew ? 200 : 304, seconds })
    return true
  }
}
