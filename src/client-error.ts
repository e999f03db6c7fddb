/**
 * What went wrong between a client and its node, by a code to branch on. `status` and `problem` are there when the
 * node answered; what it said is in `problem` (RFC 9457), word for word.
 */
export type ClientErrorCode =
  | 'unreachable' // no node answers at the URL
  | 'bad-reference' // this text cannot name a record
  | 'not-found'
  | 'auth' // no token, a wrong one, or a record of another owner
  | 'conflict' // it exists already, or it changed since it was read
  | 'invalid' // the node refused what was sent; `problem.errors` says where
  | 'refused' // the node refused a signed op; the message says with which verdict
  | 'integrity' // what the node sent does not prove what it claims
  | 'busy' // try again later
  | 'failed' // anything else

export type Problem = {
  readonly type?: string
  readonly title?: string
  readonly status?: number
  readonly detail?: string
  readonly code?: string
  readonly errors?: readonly { readonly pointer?: string; readonly message?: string; readonly detail?: string }[]
  readonly [member: string]: unknown
}

export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: ClientErrorCode
  readonly status?: number
  readonly problem?: Problem

  constructor(
    code: ClientErrorCode,
    message: string,
    options: { readonly status?: number; readonly problem?: Problem; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    if (options.status !== undefined) this.status = options.status
    if (options.problem !== undefined) this.problem = options.problem
  }
}

/** From an answer that is not a success; reads its body. */
export async function errorOf(response: Response): Promise<ClientError> {
  const text = await response.text().catch(() => '')
  const problem = readProblem(text)
  const said = problem?.detail ?? problem?.title ?? (text.slice(0, 200) || response.statusText)
  const places = (problem?.errors ?? []).map((error) =>
    `${error.pointer ?? ''} ${error.message ?? error.detail ?? ''}`.trim(),
  )
  // One place is in the sentence already.
  const message = (places.length === 1 && said.includes(':') ? [said] : [said, ...places.slice(0, 10)]).join('\n  ')
  return new ClientError(codeOf(response.status), message, { status: response.status, ...(problem && { problem }) })
}

function codeOf(status: number): ClientErrorCode {
  if (status === 401 || status === 403) return 'auth'
  if (status === 404 || status === 410) return 'not-found'
  if (status === 409 || status === 412) return 'conflict'
  if (status === 429 || status === 503) return 'busy'
  return status >= 400 && status < 500 ? 'invalid' : 'failed'
}

function readProblem(text: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Problem) : undefined
  } catch {
    return undefined
  }
}
