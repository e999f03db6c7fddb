import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { EXIT, exitCodeOf, Failure, Output, oneLine, printable } from '../../../src/cli/output.ts'
import { ClientError } from '../../../src/client-error.ts'
import { ConfigError } from '../../../src/config.ts'
import { KeyError } from '../../../src/keys.ts'

const read = (stream: PassThrough) => (stream.read() as Buffer | null)?.toString() ?? ''

test('data goes to stdout, talk to stderr, and progress only to a terminal', async () => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const out = new Output({ stdout, stderr })
  await out.data('a')
  await out.value({ b: 1 })
  out.talk('hello')
  out.progress('50 %')
  expect([read(stdout), read(stderr)]).toEqual(['a\n{"b":1}\n', 'hello\n'])
})

test('colours only a terminal, and not when NO_COLOR is set', () => {
  const tty = Object.assign(new PassThrough(), { isTTY: true, columns: 80 })
  expect(new Output({ stdout: tty, stderr: tty }, { env: {} }).bold('x')).toBe('\u001b[1mx\u001b[22m')
  expect(new Output({ stdout: tty, stderr: tty }, { env: { NO_COLOR: '1' } }).bold('x')).toBe('x')
  expect(new Output({ stdout: new PassThrough(), stderr: tty }, { env: {} }).bold('x')).toBe('x')
})

test('a slow reader slows the writer down', async () => {
  let release = () => {}
  const stdout = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => {
      release = done
    },
  })
  const written = new Output({ stdout, stderr: new PassThrough() }).data('x')
  let done = false
  void written.then(() => {
    done = true
  })
  await new Promise((go) => setImmediate(go))
  expect(done).toBe(false)
  release()
  await written
})

test('text of strangers cannot move the cursor, colour the screen or turn the reading direction', () => {
  expect(printable('a\u001b[31mb\u009bc\u0007\r')).toBe('a\\u{1b}[31mb\\u{9b}c\\u{7}\\u{d}')
  expect(printable('\u202eevil\u2066\u200f')).toBe('\\u{202e}evil\\u{2066}\\u{200f}')
  expect(printable('线 émoji 👩‍🚀\tand\nlines')).toBe('线 émoji 👩‍🚀\tand\nlines')
  expect(oneLine('  a\n b\u0000 ', 20)).toBe('a b\\u{0}')
  expect(oneLine('x'.repeat(50), 10)).toBe(`${'x'.repeat(9)}…`)
})

test('every error that is not a bug of ours leaves with its code', async () => {
  const code = (name: ClientError['code']) => exitCodeOf(new ClientError(name, ''))
  expect(code('not-found')).toBe(EXIT.notFound)
  expect(code('auth')).toBe(EXIT.auth)
  expect(code('conflict')).toBe(EXIT.conflict)
  expect(code('integrity')).toBe(EXIT.integrity)
  expect(code('bad-reference')).toBe(EXIT.usage)
  expect(code('unreachable')).toBe(EXIT.error)
  expect(exitCodeOf(new ConfigError(''))).toBe(EXIT.usage)
  expect(exitCodeOf(new KeyError('unsafe', ''))).toBe(EXIT.auth)
  expect(exitCodeOf(new Failure(EXIT.conflict, ''))).toBe(EXIT.conflict)
  expect(exitCodeOf(new TypeError('a bug'))).toBeUndefined()
  const missing = await readFile(join(import.meta.dirname, 'no', 'such', 'file')).catch((error: unknown) => error)
  expect(exitCodeOf(missing)).toBe(EXIT.error)
})
