/** The command line as a person runs it, in this process, with its own streams and settings. */
import { PassThrough, Readable } from 'node:stream'

export type Ran = { code: number; stdout: string; stderr: string; lines: string[] }
export type Command = (args: readonly string[], options?: { stdin?: string; env?: NodeJS.ProcessEnv }) => Promise<Ran>

/** Commands on a data folder. `config`: where settings and keys lie; settled with the first load in this process. */
export async function commandOn(data: string, config: string): Promise<Command> {
  process.env['XDG_CONFIG_HOME'] = config
  const { run } = await import('../../src/cli.ts')
  return async (args, options = {}) => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()]
    const read = async (stream: PassThrough) => Buffer.concat(await stream.toArray()).toString()
    const [out, err] = [read(stdout), read(stderr)]
    const env = { PATH: process.env['PATH'], PEERAGE_DATA: data, ...options.env }
    const stdin = Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)])
    const code = await run(args, { stdin: stdin as unknown as NodeJS.ReadStream, stdout, stderr, env })
    stdout.end()
    stderr.end()
    const text = await out
    return { code, stdout: text, stderr: await err, lines: text.trim().split('\n') }
  }
}
