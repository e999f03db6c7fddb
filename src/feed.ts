/**
 * A node's changes as they arrive, without a gap: Server-Sent Events, taken up again behind the last one seen when the
 * connection breaks. A change may come twice (after the node's log began anew), never not at all.
 */
import { ClientError } from './client-error.ts'
import { type Http, query } from './http.ts'
import { lineBytesMax, reconnectMsMax, reconnectMsMin } from './limits.ts'

/** One op that a node took in. */
export type Change = {
  /** The node's arrival number, to resume from. */
  readonly seq: number
  readonly op: string
  readonly kind: string
  readonly id: string
  readonly type: string
  readonly actor: string
  readonly w: number
}

/** What an op means to a search: the record meets it since then, still does, or did before. */
export type MatchChange = Change & {
  readonly match: 'new' | 'changed' | 'gone'
  readonly slug?: string
  readonly name?: unknown
}

export type FollowOptions = {
  /** Arrival number to start behind; 0 is everything. Left out: what comes from now on. */
  readonly since?: number
  /** False: what is there now, then the end. */
  readonly follow?: boolean
  readonly signal?: AbortSignal
}

type Position = { readonly seq: number; readonly epoch: string }

/** A path that tells of the log, as lines and as events, and what is asked of it. */
export type Told = { readonly path: string; readonly parameters?: Readonly<Record<string, unknown>> }

/** What `told` says of each change; nothing of those that it does not mention. */
export async function* followLog<T extends { readonly seq: number }>(
  http: Http,
  told: Told,
  options: FollowOptions,
): AsyncGenerator<T, void, undefined> {
  const { signal, follow = true } = options
  let log = await position(http, signal)
  let at = options.since ?? log.seq
  if (!follow) {
    yield* readLog<T>(http, told, at, signal)
    return
  }
  let wait = reconnectMsMin
  for (;;) {
    try {
      for await (const { seq, change } of readEvents<T>(http, told, at, signal)) {
        at = seq
        wait = reconnectMsMin
        if (change !== undefined) yield change
      }
    } catch (error) {
      if (signal?.aborted) return
      // What the node refuses for good stays refused; a broken connection is what reconnecting is for.
      if (error instanceof ClientError && error.status !== undefined && error.code !== 'busy' && error.status < 500)
        throw error
    }
    if (signal?.aborted) return
    await pause(wait, signal)
    if (signal?.aborted) return
    wait = Math.min(wait * 2, reconnectMsMax)
    const now = await position(http, signal).catch(() => undefined)
    if (now === undefined) continue
    // Arrival numbers of another log mean nothing here: start over rather than miss one.
    if (now.epoch !== log.epoch || now.seq < at) at = 0
    log = now
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((go) => {
    const timer = setTimeout(end, ms)
    function end() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      go()
    }
    signal?.addEventListener('abort', end)
  })
}

function position(http: Http, signal: AbortSignal | undefined): Promise<Position> {
  return http.json<Position>('/v1/status', signal ? { signal } : {})
}

/** What is there now, page by page. */
async function* readLog<T>(
  http: Http,
  { path, parameters }: Told,
  since: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  for (let at: number | undefined = since; at !== undefined; ) {
    const response = await http.send(path + query({ ...parameters, since: at, limit: 1000 }), {
      accept: 'application/jsonl',
      ...(signal && { signal }),
    })
    for await (const line of linesOf(response)) if (line !== '') yield JSON.parse(line) as T
    at = nextPlace(response, at)
  }
}

/** Where the next page begins; undefined when there is none. */
function nextPlace({ headers }: Response, at: number): number | undefined {
  const next = Number(/[?&]since=(\d+)[^>]*>; rel="next"/.exec(headers.get('link') ?? '')?.[1])
  return next > at ? next : undefined
}

/** One connection's events; one without a change only moves the place on. */
async function* readEvents<T extends { readonly seq: number }>(
  http: Http,
  { path, parameters }: Told,
  since: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly seq: number; readonly change?: T }> {
  const response = await http.send(path + query({ ...parameters, since }), {
    accept: 'text/event-stream',
    headers: { 'last-event-id': String(since) },
    ...(signal && { signal }),
  })
  let [id, data] = ['', '']
  for await (const line of linesOf(response)) {
    if (line.startsWith('data:')) data += (data === '' ? '' : '\n') + line.slice(line[5] === ' ' ? 6 : 5)
    else if (line.startsWith('id:')) id = line.slice(3).trim()
    else if (line === '') {
      if (data !== '') {
        const change = JSON.parse(data) as T
        if (typeof change.seq === 'number') yield { seq: change.seq, change }
      } else if (/^\d{1,16}$/.test(id)) yield { seq: Number(id) }
      ;[id, data] = ['', '']
    }
  }
}

/** The lines of a body as they come; ends the connection when the reader stops. */
export async function* linesOf(response: Response): AsyncGenerator<string> {
  if (response.body === null) return
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() as string
    if (rest.length > lineBytesMax)
      throw new ClientError('failed', `the node sent a line of more than ${lineBytesMax} bytes`)
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line
  }
  rest += decoder.decode()
  if (rest !== '') yield rest
}
