/**
 * The command line: which commands there are, what they take, and what becomes of their errors. What a command does is
 * in cli/<command>.ts and loaded when it runs, so that `--help` and a read start fast and never load a node.
 *
 * stdout is data, stderr is talk. Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 auth, 5 conflict, 6 integrity.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import type { Context } from './cli/context.ts'
import { EXIT, exitCodeOf, Output, type Streams } from './cli/output.ts'
import { loadSettings } from './config.ts'
import { programVersion } from './version.ts'

type Action = (context: Context, ...args: never[]) => Promise<number> | Promise<void>
type Load = () => Promise<Action>

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

/** The commands as data, also for completion and the README. `done` gets the exit code of the one that ran. */
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
    .addHelpText('after', HELP)

  const does =
    (load: Load) =>
    async (...args: unknown[]) => {
      const command = args.at(-1) as Command
      // commander passes arguments, then options, then the command.
      done(await act(io, load, command, args.slice(0, -2)))
    }

  program
    .command('start')
    .description('run a node')
    .option('--http <host:port>', 'where the HTTP face listens; port 0 picks a free one')
    .option('--http-host <name>', 'a further host name this node is reached by (repeatable)', collect)
    .option('--no-public-reads', 'reads over HTTP need a token too')
    .option('--rate-limit <n>', 'HTTP requests a minute from one subnet without a token; 0 for no bound')
    .option('--token-rate-limit <n>', 'HTTP requests a minute with one token; 0 for no bound')
    .option('--limit-local', 'bound loopback and private addresses too')
    .option('--webhooks-local', 'webhooks may lead to loopback and private addresses')
    .option('--trusted-proxies <block>', 'a proxy whose X-Forwarded-For is believed (repeatable)', collect)
    .option('--listen <multiaddr>', 'where other nodes reach this one (repeatable)', collect)
    .option('--join <multiaddr>', 'a node to connect to (repeatable)', collect)
    .option('--network <name>', 'network to belong to: name, or name#salt')
    .option('--no-mdns', 'do not look for nodes on the local network')
    .option('--offline', 'neither listen for nodes nor dial any')
    .option('--kinds <kinds>', 'hold records of these kinds only, comma between them')
    .option('--owners <dids>', 'hold records of these owners only, comma between them')
    .option('--sample', 'load the small sample catalogue')
    .option('--log-level <level>', 'debug, info, warn, error or silent')
    .action(does(async () => (await import('./cli/start.ts')).run))

  program
    .command('publish')
    .description('publish manifests (YAML, JSON or JSON Lines); - is standard input')
    .argument('<file...>')
    .option('--key <file>', 'sign on this side, with a key file or a key made by `keys new`')
    .option('--kind <kind>', 'of entries that do not say theirs')
    .option('--replace', 'remove fields that an entry does not name')
    .option('--strict', 'leave with 1 when any entry was refused')
    .option('--dry-run', 'check only, send nothing')
    .action(does(async () => (await import('./cli/publish.ts')).run))

  program
    .command('import')
    .description(
      'import catalogue files (JSON Lines, also gzipped; - is standard input), bundles, or what others publish: FORMAT and the address, file or folder of a source',
    )
    .argument('<file...>', 'files; or mcp, hf, a2a, models.dev, oasf or docker-mcp, and sources')
    .option('--key <file>', 'sign on this side')
    .option('--strict', 'leave with 1 when any entry was refused')
    .option('--dry-run', 'read only, send nothing')
    .option('--restart', 'of a source: begin anew, also with what has not changed')
    .option('--allow-private', 'of a source: follow it to addresses that are not public')
    .action(does(async () => (await import('./cli/import.ts')).run))

  program
    .command('get')
    .description('print records')
    .argument('<id...>')
    .option('--key <file>', "the key whose namespace kind/slug means, instead of the node's")
    .action(does(async () => (await import('./cli/get.ts')).run))

  program
    .command('list')
    .description('list the records of a kind')
    .argument('<kinds>')
    .option(
      '--where <filter>',
      'only what meets it, such as "license = mit and parameters <= 8B" (repeatable)',
      collect,
    )
    .option('--sort <field>', 'field, or -field for descending; name, updated, relevance')
    .option('--limit <n>', 'records of this page', number, 50)
    .option('--cursor <cursor>', 'go on behind the last page')
    .option('--all', 'all pages')
    .action(does(async () => (await import('./cli/list.ts')).run))

  program
    .command('search')
    .description('search records')
    .argument('[query...]')
    .option('--kind <kind>', 'one kind only')
    .option(
      '--where <filter>',
      'only what meets it, such as "license = mit and parameters <= 8B" (repeatable)',
      collect,
    )
    .option('--facets <fields>', 'count the values of these fields, comma between them')
    .option('--sort <field>', 'field, or -field for descending; name, updated, relevance')
    .option('--limit <n>', 'results of this page', number, 10)
    .option('--cursor <cursor>', 'go on behind the last page')
    .option('--collapse', 'copies of one thing under the one that is meant')
    .option('--explain', 'what each score is made of')
    .option('--save <name>', 'keep the search under a name')
    .option('--follow [name]', 'what comes to match, changes or is gone: of the kept search, else of this one')
    .option('--since <seq>', 'follow from behind this change on; 0 is the beginning', place)
    .option('--once', 'follow what is there now, then leave')
    .action(does(async () => (await import('./cli/search.ts')).run))

  const searches = program.command('searches').description('searches that are kept under a name')
  searches
    .command('list')
    .description('list them')
    .action(does(async () => (await import('./cli/searches.ts')).list))
  searches
    .command('delete')
    .description('forget some')
    .argument('<name...>')
    .action(does(async () => (await import('./cli/searches.ts')).remove))

  program
    .command('fields')
    .description('list the fields of a kind, or of all, with their commonest values')
    .argument('[kind]')
    .action(does(async () => (await import('./cli/fields.ts')).run))

  program
    .command('set')
    .description('change fields of a record')
    .argument('<id>')
    .argument('[field=value...]', 'a value is JSON where it reads as JSON, else text')
    .option('--unset <field>', 'remove a field (repeatable)', collect)
    .option('--key <file>', 'sign on this side')
    .option('--dry-run', 'print the merge patch, send nothing')
    .action(does(async () => (await import('./cli/set.ts')).run))

  program
    .command('edit')
    .description('change a record in your editor')
    .argument('<id>')
    .option('--key <file>', 'sign on this side')
    .option('--dry-run', 'print the edited record, send nothing')
    .action(does(async () => (await import('./cli/edit.ts')).run))

  program
    .command('delete')
    .description('delete records; their history is kept')
    .argument('<id...>')
    .option('--key <file>', 'sign on this side')
    .option('-y, --yes', 'do not ask')
    .option('--dry-run', 'say what would be deleted')
    .action(does(async () => (await import('./cli/delete.ts')).run))

  program
    .command('history')
    .description('print every op of a record, newest first')
    .argument('<id>')
    .option('--limit <n>', 'at most this many', number)
    .action(does(async () => (await import('./cli/history.ts')).run))

  program
    .command('diff')
    .description('print what changed in a record')
    .argument('<id>')
    .argument('[op..op]', 'one op, or two with .. between them; the newest when left out')
    .action(does(async () => (await import('./cli/diff.ts')).run))

  program
    .command('heads')
    .description('print the heads of a record, and what is in conflict')
    .argument('<id>')
    .action(does(async () => (await import('./cli/heads.ts')).run))

  program
    .command('export')
    .description('print all records as JSON Lines')
    .option('--kind <kind>', 'one kind only (repeatable)', collect)
    .option('--where <filter>', 'only what meets it (repeatable)', collect)
    .option('--out <file>', 'write a file; .gz is gzipped')
    .option('--bundle <file>', 'write the signed ops instead, which `import` takes in on a node without a network')
    .option('--owner <did>', 'of a bundle: one owner only (repeatable)', collect)
    .option('--query <text>', 'of a bundle: only the records that this search finds')
    .action(does(async () => (await import('./cli/export.ts')).run))

  program
    .command('grant')
    .description('let a key write a record, or all of them with *')
    .argument('<id>', 'a record, or * for all')
    .argument('<did>', 'the did:key of who may write')
    .requiredOption('--rights <rights>', 'create, write, delete, grant; comma between them')
    .option('--fields <fields>', 'only these fields, by name or JSON Pointer; comma between them')
    .option('--kinds <kinds>', 'with *: only these kinds')
    .option('--expires <when>', 'a date, or a time from now such as 90d or 12h')
    .option('--owner <did>', 'whose records, where a grant lets this key give grants')
    .option('--key <file>', 'sign on this side')
    .action(does(async () => (await import('./cli/authority.ts')).grant))

  program
    .command('revoke')
    .description('end a grant; what was done under it stays as far as the node has seen it')
    .argument('<grant|did>', 'a grant, or a key: then all it holds')
    .option('--since <op>', 'keep only what came before this op')
    .option('--drop', 'keep nothing')
    .option('--owner <did>', 'whose grants')
    .option('--key <file>', 'sign on this side')
    .action(does(async () => (await import('./cli/authority.ts')).revoke))

  program
    .command('authority')
    .description('print who may write a record, or the grants of an owner, and which ops do not count')
    .argument('[id|did]')
    .option('--key <file>', 'whose grants, when nothing is named')
    .action(does(async () => (await import('./cli/authority.ts')).show))

  program
    .command('verify')
    .description('check every op of a record on this side, and print the way from its owner to each')
    .argument('<id>')
    .option('--key <file>', "the key whose namespace kind/slug means, instead of the node's")
    .action(does(async () => (await import('./cli/verify.ts')).run))

  program
    .command('erase')
    .description('take ops of a record out for good: a leaked secret, abuse, the law')
    .argument('<id>')
    .option('--op <op>', 'only this op (repeatable)', collect)
    .option('--reason <text>', 'why; everybody can read it')
    .option('-y, --yes', 'do not ask')
    .option('--key <file>', 'sign on this side')
    .action(does(async () => (await import('./cli/authority.ts')).erase))

  program
    .command('block')
    .description('refuse an owner or actor, a peer or a record on this node: nothing of it is taken, served or shown')
    .argument('[did|peer|record...]')
    .option('--reason <text>', 'why; for whoever runs this node')
    .option('--list', 'print what is blocked')
    .action(does(async () => (await import('./cli/policy.ts')).block))
  program
    .command('unblock')
    .description('end a block; what was refused meanwhile comes from peers')
    .argument('<did|peer|record...>')
    .action(does(async () => (await import('./cli/policy.ts')).unblock))
  program
    .command('quota')
    .description('print or set how much of one owner or actor this node takes from publishers and gossip')
    .argument('[did]')
    .option('--ops-per-hour <n>', 'ops an hour; 0 for no bound', amount)
    .option('--records <n>', 'records in all; 0 for no bound', amount)
    .option('--bytes <n>', 'bytes of ops in all; 0 for no bound', amount)
    .option('--default', 'as for everybody again')
    .option('--list', 'print the quota of everybody, and who has one of his own')
    .action(does(async () => (await import('./cli/policy.ts')).quota))

  const keys = program.command('keys').description('publisher keys on this machine')
  keys
    .command('new')
    .description('make a key')
    .argument('[name]', 'a name, or a path')
    .option('--identity', 'an owner whose key can be replaced, with the seed of its keys in a second file')
    .option('--network <name>', 'with --identity: the network it is for')
    .action(does(async () => (await import('./cli/keys.ts')).makeKey))
  keys
    .command('rotate')
    .description('hand an identity on to its next key')
    .argument('[name]', 'a name, or a path')
    .option('--seed <file>', 'the seed file of the identity')
    .option('--since <op>', 'keep only what the old key did before this op came')
    .option('--drop', 'keep nothing of what the old key did')
    .action(does(async () => (await import('./cli/keys.ts')).rotate))
  keys
    .command('list')
    .description('list keys')
    .action(does(async () => (await import('./cli/keys.ts')).list))
  keys
    .command('show')
    .description('print the did:key of a key')
    .argument('[name]', 'a name, or a path')
    .action(does(async () => (await import('./cli/keys.ts')).show))

  const tokens = program.command('tokens').description('tokens for the HTTP face of the node on --data')
  tokens
    .command('new')
    .description('make a token and print it, once')
    .argument('<name>')
    .option('--read', 'it may only read, which is so unless --write is given')
    .option('--write', 'it may write too')
    .option('--kind <kind>', 'only this kind (repeatable)', collect)
    .option('--expires <when>', 'a date, or a time from now such as 90d or 12h')
    .action(does(async () => (await import('./cli/tokens.ts')).make))
  tokens
    .command('list')
    .description('list tokens; the secrets are not kept')
    .action(does(async () => (await import('./cli/tokens.ts')).list))
  tokens
    .command('revoke')
    .description('make a token good for nothing, from the next request on')
    .argument('<name...>')
    .action(does(async () => (await import('./cli/tokens.ts')).revoke))

  const mcp = program.command('mcp').description('the register for programs that speak MCP')
  mcp
    .command('serve')
    .description('an MCP server on standard input and output: search, get, publish')
    .option('--key <file>', 'sign on this side')
    .action(does(async () => (await import('./cli/mcp.ts')).serve))

  program
    .command('peers')
    .description('print the peers of the node')
    .action(does(async () => (await import('./cli/peers.ts')).run))

  program
    .command('status')
    .description('print what the node is and how it is doing')
    .option('--state-hash', 'with the hash over all records, which takes a while')
    .action(does(async () => (await import('./cli/status.ts')).run))

  program
    .command('doctor')
    .description('look for what is wrong with the data folder, its node and its clock, and say what to do')
    .option('--peer <url>', 'a node to compare clocks and catalogues with (repeatable)', collect)
    .action(does(async () => (await import('./cli/doctor.ts')).run))

  program
    .command('repair')
    .description(
      "make a good store of what can be read of a stopped node's damaged one, which is kept; say what is lost",
    )
    .option('--alone', 'no other node holds what the key has signed: it may sign before it meets a peer')
    .action(does(async () => (await import('./cli/repair.ts')).run))

  program
    .command('backup')
    .description('write the data folder to one file, also while its node runs; it holds the key')
    .argument('<file>', 'a new file, or a folder for one with the time in its name')
    .action(does(async () => (await import('./cli/backup.ts')).backup))

  program
    .command('restore')
    .description('make the data folder from a backup; the node must not run')
    .argument('<file>')
    .option('--alone', 'no other node holds what the key has signed: it may sign before it meets a peer')
    .action(does(async () => (await import('./cli/backup.ts')).restore))

  program
    .command('init')
    .description('print a commented manifest to fill in')
    .argument('<kind>')
    .option('--out <file>', 'write a new file instead')
    .action(does(async () => (await import('./cli/init.ts')).run))

  program
    .command('config')
    .description('print the settings')
    .argument('[show]')
    .option('--origin', 'and where each comes from')
    .option('--schema', 'print the JSON Schema of the configuration file instead')
    .action(does(async () => (await import('./cli/config.ts')).run))

  program
    .command('completion')
    .description('print a completion script for bash, zsh or fish')
    .argument('<shell>')
    .action(
      does(async () => {
        const { run } = await import('./cli/completion.ts')
        return (context: Context, shell: string) => run(context, shell, program)
      }),
    )

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

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

function number(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0) throw new InvalidArgumentError('expected a whole number above 0')
  return Number(text)
}

function amount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected a whole number')
  return Number(text)
}

function place(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected the seq of a change')
  return Number(text)
}

const HELP = `
A record is named by its id (64 hex digits), kind/slug, kind/did:key:.../slug, or its URL.
Commands talk to the node that runs on --data (its own folder by default), or to --url.

First steps:
  peerage start --sample
  peerage search vision model
  peerage init agent > agent.yaml      then: peerage publish agent.yaml

Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 auth, 5 conflict, 6 integrity`
