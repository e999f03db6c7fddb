/**
 * Errors as their callers see them: RFC 9457 problem documents. This is the only place where an error becomes a
 * status. A problem names what the caller can change, never a path, a stack or a key of this machine.
 */
import { type FieldError, NodeError, type NodeErrorCode, type Refusal, type RefusalCode } from '../node/index.ts'

/** Codes are API. `type` is `urn:peerage:problem:<code>`; `code` repeats it for those who compare words. */
export const PROBLEMS = {
  'bad-request': [400, 'The request cannot be read'],
  'bad-query': [400, 'The query cannot be answered'],
  'bad-cursor': [400, 'The cursor is not one of ours'],
  unauthorised: [401, 'A token is needed'],
  'not-owner': [403, 'The record belongs to another key'],
  'host-not-allowed': [403, 'Not a name of this node'],
  'origin-not-allowed': [403, 'Not a page of this node'],
  'read-only': [403, 'This node signs nothing'],
  'not-found': [404, 'There is no such thing'],
  'method-not-allowed': [405, 'Not with this method'],
  timeout: [408, 'The request took too long'],
  exists: [409, 'It exists'],
  precondition: [412, 'The record is not as expected'],
  'too-large': [413, 'More than is taken'],
  'unsupported-type': [415, 'Not a content type that is understood here'],
  invalid: [422, 'The document is not valid'],
  'headers-too-large': [431, 'The header fields are too large'],
  internal: [500, 'Something failed here'],
  busy: [503, 'Too much at once'],
  unavailable: [503, 'Not at the moment'],
  'store-full': [507, 'The disk is full'],
} as const satisfies Record<string, readonly [status: number, title: string]>

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
      detail: 'the disk is full; nothing was written',
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
    type: `urn:peerage:problem:${problem.problem}`,
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
