/**
 * The command line: one run of it, from what was typed to an exit code, and what becomes of errors. Which commands there
 * are and what they take is in commands/, what a command does in cli/<command>.ts; that is loaded when it runs, so that
 * `--help` and a read start fast and never load a node.
 *
 * stdout is data, stderr is talk. Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 auth, 5 conflict, 6 integrity.
 */
import { Command, CommanderError } from 'commander'
import type { Context } from './cli/context.ts'
import { EXIT, exitCodeOf, Output, type Streams } from './cli/output.ts'
import { addAuthorityCommands } from './commands/authority.ts'
import type { Does, Load } from './commands/does.ts'
import { addNodeCommands } from './commands/node.ts'
import { addRecordCommands } from './commands/records.ts'
import { loadSettings } from './config.ts'
import { programVersion } from './version.ts'

/** What a command line touches of its process. */
export type Io = Streams & { readonly stdin: NodeJS.ReadStream; readonly env: NodeJS.ProcessEnv }

/** Runs one command line; answers the exit code. */
export async function run(argv: readonly string[], io: Io = process): Promise<number> {
  // A reader that has seen enough, such as head, ends us without a word.
  if (io === process) {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(EXIT.ok)
      throw error
    })
  }
  let code: number = EXIT.ok
  const program = buildProgram(io, (result) => {
    code = result
  })
  try {
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // Help and version were asked for; everything else of commander's is a mistake in the command line.
    code = error.exitCode === 0 ? EXIT.ok : EXIT.usage
  }
  return code
}

/** All commands, as commander has them. `done` gets the exit code of the one that ran. */
export function buildProgram(io: Io, done: (code: number) => void): Command {
  const program = new Command('peerage')
    .description('A peer-to-peer register of AI models, agents and everything they need.')
    .version(programVersion(), '-V, --version')
    .option('--data <dir>', 'data folder of the node')
    .option('--url <url>', 'address of the node, instead of the one running on the data folder')
    .option('--token-file <file>', 'token for writes that the node signs')
    .option('--config <file>', 'configuration file')
    .option('--json', 'print JSON, one value a line')
    .option('-q, --quiet', 'print ids only')
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(see --help)')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .addHelpCommand(new Command('help').argument('[command]').description('help for a command').helpGroup('Help:'))
    .addHelpText('after', HELP)

  const does: Does =
    (load) =>
    async (...args) => {
      const command = args.at(-1) as Command
      // commander passes arguments, then options, then the command.
      done(await act(io, load, command, args.slice(0, -2)))
    }

  addNodeCommands(program, does)
  addRecordCommands(program, does)
  addAuthorityCommands(program, does)
  return program
}

async function act(io: Io, load: Load, command: Command, args: readonly unknown[]): Promise<number> {
  const options = command.optsWithGlobals()
  const out = new Output(io, {
    json: options['json'] === true,
    quiet: options['quiet'] === true,
    env: io.env,
  })
  const stop = new AbortController()
  const interrupt = () => stop.abort(new Error('interrupted'))
  try {
    const resolved = await loadSettings(givenOnTheCommandLine(command), io.env)
    // A node says it in its log.
    if (command.name() !== 'start') for (const warning of resolved.warnings) out.talk(`warning: ${warning}`)
    const action = await load()
    // A node drains on its own; a command stops what it is doing, and a second Ctrl-C ends it at once.
    if (command.name() !== 'start') process.once('SIGINT', interrupt)
    const context: Context = {
      out,
      resolved,
      stdin: io.stdin,
      env: io.env,
      signal: stop.signal,
      options: command.opts(),
    }
    return (await action(context, ...(args as never[]))) ?? EXIT.ok
  } catch (error) {
    out.clearProgress()
    const code = exitCodeOf(error)
    if (stop.signal.aborted) return 130
    if (code === undefined) out.talk(error instanceof Error ? (error.stack ?? error.message) : String(error))
    else out.talk(`peerage: ${(error as Error).message}`)
    return code ?? EXIT.error
  } finally {
    process.off('SIGINT', interrupt)
  }
}

/** Settings by their own names, only those that were typed: a default must not win over a file. */
function givenOnTheCommandLine(command: Command): Record<string, unknown> {
  const flags: Record<string, unknown> = {}
  for (let at: Command | null = command; at !== null; at = at.parent) {
    for (const option of at.options) {
      const name = option.attributeName()
      if (at.getOptionValueSource(name) !== 'cli') continue
      flags[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] ??= at.getOptionValue(name)
    }
  }
  return flags
}

const HELP = `
A record is named by its id (64 hex digits), kind/slug, kind/did:key:.../slug, or its URL.
Commands talk to the node that runs on --data (its own folder by default), or to --url.

First steps:
  peerage start --sample
  peerage search vision model
  peerage init agent > agent.yaml      then: peerage publish agent.yaml

Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 auth, 5 conflict, 6 integrity`
