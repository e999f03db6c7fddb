/**
 * What a command says, and where: stdout is data, stderr is talk. With --json every line of stdout is one JSON value,
 * with -q one id; a program that reads us never has to skip a line.
 *
 * Records are written by strangers. What is meant for eyes goes through `printable`, so that no text from a record can
 * move the cursor, colour the screen or turn the reading direction around.
 */
import { ClientError } from '../client-error.ts'
import { ConfigError } from '../config.ts'
import { KeyError } from '../key-error.ts'

/** Part of the interface: scripts branch on them. */
export const EXIT = { ok: 0, error: 1, usage: 2, notFound: 3, auth: 4, conflict: 5, integrity: 6 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A command's own verdict: what to print on stderr and with which code to leave. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly exit: ExitCode
  constructor(exit: ExitCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.exit = exit
  }
}

export type Streams = {
  readonly stdout: NodeJS.WriteStream | NodeJS.WritableStream
  readonly stderr: NodeJS.WriteStream | NodeJS.WritableStream
}

export class Output {
  readonly json: boolean
  readonly quiet: boolean
  readonly #streams: Streams
  readonly #color: boolean
  #progress = false

  constructor(streams: Streams, options: { json?: boolean; quiet?: boolean; env?: NodeJS.ProcessEnv } = {}) {
    this.#streams = streams
    this.json = options.json ?? false
    this.quiet = options.quiet ?? false
    this.#color = isTerminal(streams.stdout) && !options.env?.NO_COLOR && options.env?.TERM !== 'dumb'
  }

  /** For a protocol that has stdout to itself. */
  get stdout(): NodeJS.WritableStream {
    return this.#streams.stdout
  }

  /** Columns of the terminal, or undefined when stdout is a file or a pipe: then nothing is cut. */
  get width(): number | undefined {
    return isTerminal(this.#streams.stdout) ? (this.#streams.stdout as NodeJS.WriteStream).columns : undefined
  }

  /** One line of data. Resolves when more may be written, so that a slow reader slows us down. */
  async data(line: string): Promise<void> {
    this.clearProgress()
    if (!this.#streams.stdout.write(`${line}\n`)) {
      await new Promise<void>((go) => this.#streams.stdout.once('drain', go))
    }
  }

  /** One JSON value on one line. */
  value(value: unknown): Promise<void> {
    return this.data(JSON.stringify(value))
  }

  /** Talk: for the person, never for a program. */
  talk(line: string): void {
    this.clearProgress()
    this.#streams.stderr.write(`${printable(line)}\n`)
  }

  /** A line that the next one replaces; nothing where stderr is not a terminal. */
  progress(line: string): void {
    if (!isTerminal(this.#streams.stderr)) return
    this.#streams.stderr.write(`\r\u001b[2K${printable(line)}`)
    this.#progress = true
  }

  clearProgress(): void {
    if (!this.#progress) return
    this.#streams.stderr.write('\r\u001b[2K')
    this.#progress = false
  }

  bold(text: string): string {
    return this.#color ? `\u001b[1m${text}\u001b[22m` : text
  }

  dim(text: string): string {
    return this.#color ? `\u001b[2m${text}\u001b[22m` : text
  }
}

function isTerminal(stream: NodeJS.WritableStream): boolean {
  return (stream as NodeJS.WriteStream).isTTY === true
}

/**
 * Text of strangers made safe to show: control characters (save newline and tab), line separators and marks that turn
 * the reading direction around are written as \u{...}.
 */
export function printable(text: string): string {
  return text.replace(UNSAFE, (found) => `\\u{${(found.codePointAt(0) as number).toString(16)}}`)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\u200e\u200f]/g

/** `printable`, on one line, at most `columns` long. */
export function oneLine(text: string, columns = 120): string {
  const line = printable(text.replace(/\s+/g, ' ').trim())
  const points = [...line]
  return points.length <= columns ? line : `${points.slice(0, Math.max(0, columns - 1)).join('')}…`
}

/** Which code an error leaves with; undefined for a bug of ours, which deserves its stack. */
export function exitCodeOf(error: unknown): ExitCode | undefined {
  if (error instanceof Failure) return error.exit
  if (error instanceof ConfigError) return EXIT.usage
  if (error instanceof KeyError)
    return error.code === 'unsafe' ? EXIT.auth : error.code === 'missing' ? EXIT.notFound : EXIT.error
  if (error instanceof ClientError) return EXIT_OF_CLIENT[error.code]
  // Known by its name: loading node/ to ask for its class would cost every command half a second.
  if (error instanceof Error && error.name === 'NodeError') {
    const { code } = error as { code?: string }
    return code === 'key-unsafe' ? EXIT.auth : code === 'store-corrupt' ? EXIT.integrity : EXIT.error
  }
  // The operating system said no: a folder that is not there, a full disk. Its message names what it was about.
  if (error instanceof Error && 'syscall' in error) return EXIT.error
  return undefined
}

const EXIT_OF_CLIENT: Readonly<Record<ClientError['code'], ExitCode>> = {
  unreachable: EXIT.error,
  'bad-reference': EXIT.usage,
  'not-found': EXIT.notFound,
  auth: EXIT.auth,
  conflict: EXIT.conflict,
  invalid: EXIT.error,
  refused: EXIT.error,
  integrity: EXIT.integrity,
  busy: EXIT.error,
  failed: EXIT.error,
}
