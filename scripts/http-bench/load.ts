/**
 * The client's side of the HTTP figures, in a process of its own: keep-alive connections over plain sockets, one
 * request under way on each, so that what is measured is the server. Told what to do by messages of its parent.
 */
import { connect, type Socket } from 'node:net'

export type Task = {
  readonly port: number
  readonly connections: number
  readonly ms: number
  /** Whole requests as they are sent; each connection takes them in turn. */
  readonly requests: readonly string[]
  /** Pause after an answer, at random up to twice this. */
  readonly thinkMs?: number
}

export type Result = {
  readonly answers: number
  readonly seconds: number
  /** Connections that failed or were closed, and answers of 400 and above. */
  readonly errors: number
  readonly reasons: Readonly<Record<string, number>>
  /** How many were open at the same time. */
  readonly open: number
  readonly latencies: readonly number[]
}

const LATENCIES_MAX = 200_000

// Without its parent nobody needs it.
process.once('disconnect', () => process.exit())

process.on('message', (task: Task) => {
  void run(task).then((result) => process.send?.(result))
})

async function run(task: Task): Promise<Result> {
  const state = {
    answers: 0,
    errors: 0,
    reasons: {} as Record<string, number>,
    latencies: [] as number[],
    stopped: false,
  }
  const failed = (reason: string) => {
    if (state.stopped) return
    state.errors++
    state.reasons[reason] = (state.reasons[reason] ?? 0) + 1
  }
  const sockets = await Promise.all(Array.from({ length: task.connections }, () => opened(task.port, failed)))
  const open = sockets.filter((socket) => socket !== undefined)
  const start = performance.now()
  for (const [at, socket] of open.entries()) drive(socket, at, task, state, failed)
  await new Promise((resolve) => setTimeout(resolve, task.ms))
  state.stopped = true
  const seconds = (performance.now() - start) / 1000
  const { answers, errors, reasons, latencies } = state
  for (const socket of open) socket.destroy()
  return { answers, seconds, errors, reasons, open: open.length, latencies }
}

function opened(port: number, failed: (reason: string) => void): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.once('connect', () => resolve(socket))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      failed(error.code ?? 'error')
      resolve(undefined)
    })
  })
}

function drive(
  socket: Socket,
  offset: number,
  { requests, thinkMs }: Task,
  state: { answers: number; latencies: number[]; stopped: boolean },
  failed: (reason: string) => void,
): void {
  let turn = offset
  let sent = 0
  let rest: Buffer<ArrayBufferLike> = Buffer.alloc(0)
  const next = () => {
    if (state.stopped) return
    sent = performance.now()
    socket.write(requests[turn++ % requests.length] as string)
  }
  socket.on('close', () => failed('closed'))
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const end = endOfAnswer(rest)
    if (end === undefined) return
    const status = Number(rest.subarray(9, 12).toString('latin1'))
    if (status >= 400) failed(`status ${status}`)
    state.answers++
    if (state.latencies.length < LATENCIES_MAX) state.latencies.push(performance.now() - sent)
    rest = rest.subarray(end)
    if (thinkMs === undefined) next()
    else setTimeout(next, Math.random() * 2 * thinkMs)
  })
  next()
}

/** Answers with Content-Length only, which is all that is asked for here. */
function endOfAnswer(bytes: Buffer): number | undefined {
  const head = bytes.indexOf('\r\n\r\n')
  if (head < 0) return undefined
  const length = /\r\ncontent-length: (\d+)/i.exec(bytes.subarray(0, head).toString('latin1'))?.[1] ?? '0'
  const end = head + 4 + Number(length)
  return bytes.length >= end ? end : undefined
}
