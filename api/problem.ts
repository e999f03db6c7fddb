/**
 * Errors as their callers see them: RFC 9457 problem documents. This is the only place where an error becomes a
 * status. A problem names what the caller can change, never a path, a stack or a key of this machine.
 */
import { type FieldError, NodeError, type NodeErrorCode, type Refusal, type RefusalCode } from '../node/index.ts'

/** Codes are API. `type` is `/problems/<code>`, a page of this node; `code` repeats it for those who compare words. */
export const PROBLEMS = {
  'bad-request': [
    400,
    'The request cannot be read',
    'The detail says where it breaks off; it is never worth repeating as it is.',
  ],
  'bad-query': [
    400,
    'The query cannot be answered',
    'A parameter or a member of the query is wrong; errors[] names it. /openapi.json lists what a path takes.',
  ],
  'bad-cursor': [
    400,
    'The cursor is not one of ours',
    'Cursors belong to one query of one node. Begin again without one.',
  ],
  unauthorised: [
    401,
    'A token is needed',
    'Send Authorization: Bearer <token>. The main token is the file `token` in the data folder of the node; `peerage tokens new` makes further ones. An expired or revoked token is answered this way too.',
  ],
  forbidden: [
    403,
    'The token may not do this',
    'The token is good, but it only reads, or it is for other kinds. The detail says which.',
  ],
  'not-owner': [
    403,
    'The record belongs to another key',
    'Only the owner of a record writes it. Sign with the key of its owner, or register it under a key of your own.',
  ],
  'host-not-allowed': [
    403,
    'Not a name of this node',
    'The Host header names another machine. Whoever runs the node adds a name with --http-host.',
  ],
  'origin-not-allowed': [
    403,
    'Not a page of this node',
    'A page of another origin may read, and nothing else. Whoever runs the node adds a name with --http-host.',
  ],
  'read-only': [403, 'This node signs nothing', 'The node has no key of its own. Send signed ops to POST /v1/ops.'],
  'not-found': [
    404,
    'There is no such thing',
    'With `deleted: true` it existed: its history can still be read, and registering it again restores it.',
  ],
  'method-not-allowed': [405, 'Not with this method', 'The Allow header lists the methods that this path takes.'],
  timeout: [
    408,
    'The request took too long',
    'The header or the body did not arrive in time. Send it again, in smaller parts when the line is slow.',
  ],
  exists: [
    409,
    'It exists',
    '`id` is the record that has this name. Change it with PUT or PATCH, or choose another slug.',
  ],
  precondition: [
    412,
    'The record is not as expected',
    'If-Match or If-None-Match did not hold: somebody else was faster. Read the record again and decide anew.',
  ],
  'too-large': [413, 'More than is taken', 'The detail says the bound. Send less at once.'],
  'unsupported-type': [
    415,
    'Not a content type that is understood here',
    'Accept-Post lists the types that are. Bodies are taken uncompressed and in UTF-8.',
  ],
  invalid: [422, 'The document is not valid', 'errors[] lists each wrong field by its JSON Pointer.'],
  'key-reused': [
    422,
    'The idempotency key was used for another request',
    'A key stands for one request with one body. Use a new one.',
  ],
  'rate-limited': [
    429,
    'Too many requests',
    'Wait as long as Retry-After says. RateLimit and RateLimit-Policy say what is left and what is granted; every item of a batch counts.',
  ],
  blocked: [
    451,
    'Blocked by whoever runs this node',
    'The operator has blocked the record, or its owner: for the law, for abuse, or for another reason that is not told here. Other nodes may have it; nothing is wrong with the request.',
  ],
  'headers-too-large': [
    431,
    'The header fields are too large',
    'Request line and header fields together take at most 16 KiB.',
  ],
  internal: [
    500,
    'Something failed here',
    'A fault of the node, not of the request. Its log has the details under the request_id.',
  ],
  'store-corrupt': [
    503,
    'Damaged on the disk of this node',
    'What was asked for does not read back as it was written. The node asks its peers for it and answers again when one has sent it; another node may answer now. Whoever runs this one: `peerage doctor` says more.',
  ],
  busy: [503, 'Too much at once', 'A bounded queue of the node is full. Try again after Retry-After.'],
  unavailable: [
    503,
    'Not at the moment',
    'The node is starting, or a part of it is being rebuilt. Try again after Retry-After.',
  ],
  'store-full': [
    507,
    'The disk is full',
    'Reads go on, and writing does when there is room, which whoever runs the node has to make. What was not acknowledged may be sent again: nothing goes in twice.',
  ],
} as const satisfies Record<string, readonly [status: number, title: string, help: string]>

export type ProblemCode = keyof typeof PROBLEMS

export type Problem = {
  readonly problem: ProblemCode
  readonly detail: string
  readonly errors?: readonly FieldError[]
  /** Further members of the document. */
  readonly more?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
}

export function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'problem' in value && 'detail' in value
}

const FROM_REFUSAL = {
  invalid: 'invalid',
  exists: 'exists',
  'not-found': 'not-found',
  'not-owner': 'not-owner',
  precondition: 'precondition',
  'too-large': 'too-large',
  'read-only': 'read-only',
  blocked: 'blocked',
} as const satisfies Record<RefusalCode, ProblemCode>

export function problemOf(refusal: Refusal): Problem {
  const { code, message, errors, deleted, id } = refusal
  const more = { ...(deleted && { deleted }), ...(id !== undefined && { id }) }
  return { problem: FROM_REFUSAL[code], detail: message, ...(errors && { errors }), more }
}

/** What is worth another try in a moment. */
const RETRY: Partial<Record<NodeErrorCode, ProblemCode>> = {
  busy: 'busy',
  'search-unavailable': 'unavailable',
  closed: 'unavailable',
  'store-failed': 'unavailable',
}

/** An error that a handler let through: the world failed, or we have a bug. The detail says nothing of this machine. */
export function problemOfError(error: unknown): Problem {
  if (!(error instanceof NodeError)) return { problem: 'internal', detail: 'the request could not be answered' }
  const more = { node_error: error.code }
  if (error.code === 'store-failed' && isFull(error)) {
    return {
      problem: 'store-full',
      detail: 'the disk is full; the write was not acknowledged',
      more,
      headers: { 'retry-after': '60' },
    }
  }
  if (error.code === 'key-journal') {
    return {
      problem: 'unavailable',
      detail: 'the node does not sign this now: its store is older than what its key has signed; its log says more',
      more,
      headers: { 'retry-after': '60' },
    }
  }
  if (error.code === 'store-corrupt') {
    return {
      problem: 'store-corrupt',
      detail: 'what was asked for is damaged on the disk of this node, and peers are asked for it',
      more,
      headers: { 'retry-after': '60' },
    }
  }
  const code = RETRY[error.code]
  if (code === undefined) return { problem: 'internal', detail: `the node says ${error.code}`, more }
  return { problem: code, detail: `the node says ${error.code}; try again`, more, headers: { 'retry-after': '1' } }
}

function isFull(error: unknown): boolean {
  for (let at = error, n = 0; at instanceof Error && n < 5; at = at.cause, n++) {
    if ((at as { code?: unknown }).code === 'ENOSPC' || /no space left/i.test(at.message)) return true
  }
  return false
}

export function problemBody(problem: Problem, requestId: string): string {
  const [status, title] = PROBLEMS[problem.problem]
  return JSON.stringify({
    type: `/problems/${problem.problem}`,
    title,
    status,
    code: problem.problem,
    detail: problem.detail,
    ...(problem.errors && { errors: problem.errors }),
    ...problem.more,
    request_id: requestId,
  })
}

export function problemResponse(problem: Problem, requestId: string): Response {
  return new Response(problemBody(problem, requestId), {
    status: PROBLEMS[problem.problem][0],
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': requestId,
      ...problem.headers,
    },
  })
}
