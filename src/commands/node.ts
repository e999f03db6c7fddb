/** Commands about a node: run it, watch it, keep it healthy, decide what it takes. */
import type { Command } from 'commander'
import type { Context } from '../cli/context.ts'
import type { Does } from './does.ts'
import { amount, collect } from './values.ts'

export function addNodeCommands(program: Command, does: Does): void {
  program.commandsGroup('A node:')

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
    .action(does(async () => (await import('../cli/start.ts')).run))

  program
    .command('status')
    .description('print what the node is and how it is doing')
    .option('--state-hash', 'with the hash over all records, which takes a while')
    .action(does(async () => (await import('../cli/status.ts')).run))

  program
    .command('peers')
    .description('print the peers of the node')
    .action(does(async () => (await import('../cli/peers.ts')).run))

  const tokens = program.command('tokens').description('tokens for the HTTP face of the node on --data')
  tokens
    .command('new')
    .description('make a token and print it, once')
    .argument('<name>')
    .option('--read', 'it may only read, which is so unless --write is given')
    .option('--write', 'it may write too')
    .option('--kind <kind>', 'only this kind (repeatable)', collect)
    .option('--expires <when>', 'a date, or a time from now such as 90d or 12h')
    .action(does(async () => (await import('../cli/tokens.ts')).make))
  tokens
    .command('list')
    .description('list tokens; the secrets are not kept')
    .action(does(async () => (await import('../cli/tokens.ts')).list))
  tokens
    .command('revoke')
    .description('make a token good for nothing, from the next request on')
    .argument('<name...>')
    .action(does(async () => (await import('../cli/tokens.ts')).revoke))

  program
    .command('block')
    .description('refuse an owner or actor, a peer or a record on this node: nothing of it is taken, served or shown')
    .argument('[did|peer|record...]')
    .option('--reason <text>', 'why; for whoever runs this node')
    .option('--list', 'print what is blocked')
    .action(does(async () => (await import('../cli/policy.ts')).block))

  program
    .command('unblock')
    .description('end a block; what was refused meanwhile comes from peers')
    .argument('<did|peer|record...>')
    .action(does(async () => (await import('../cli/policy.ts')).unblock))

  program
    .command('quota')
    .description('print or set how much of one owner or actor this node takes from publishers and gossip')
    .argument('[did]')
    .option('--ops-per-hour <n>', 'ops an hour; 0 for no bound', amount)
    .option('--records <n>', 'records in all; 0 for no bound', amount)
    .option('--bytes <n>', 'bytes of ops in all; 0 for no bound', amount)
    .option('--default', 'as for everybody again')
    .option('--list', 'print the quota of everybody, and who has one of his own')
    .action(does(async () => (await import('../cli/policy.ts')).quota))

  program
    .command('doctor')
    .description('look for what is wrong with the data folder, its node and its clock, and say what to do')
    .option('--peer <url>', 'a node to compare clocks and catalogues with (repeatable)', collect)
    .action(does(async () => (await import('../cli/doctor.ts')).run))

  program
    .command('repair')
    .description(
      "make a good store of what can be read of a stopped node's damaged one, which is kept; say what is lost",
    )
    .option('--alone', 'no other node holds what the key has signed: it may sign before it meets a peer')
    .action(does(async () => (await import('../cli/repair.ts')).run))

  program
    .command('backup')
    .description('write the data folder to one file, also while its node runs; it holds the key')
    .argument('<file>', 'a new file, or a folder for one with the time in its name')
    .action(does(async () => (await import('../cli/backup.ts')).backup))

  program
    .command('restore')
    .description('make the data folder from a backup; the node must not run')
    .argument('<file>')
    .option('--alone', 'no other node holds what the key has signed: it may sign before it meets a peer')
    .action(does(async () => (await import('../cli/backup.ts')).restore))

  const mcp = program.command('mcp').description('the register for programs that speak MCP')
  mcp
    .command('serve')
    .description('an MCP server on standard input and output: search, get, publish')
    .option('--key <file>', 'sign on this side')
    .action(does(async () => (await import('../cli/mcp.ts')).serve))

  program
    .command('config')
    .description('print the settings')
    .argument('[show]')
    .option('--origin', 'and where each comes from')
    .option('--schema', 'print the JSON Schema of the configuration file instead')
    .action(does(async () => (await import('../cli/config.ts')).run))

  program
    .command('completion')
    .description('print a completion script for bash, zsh or fish')
    .argument('<shell>')
    .action(
      does(async () => {
        const { run } = await import('../cli/completion.ts')
        return (context: Context, shell: string) => run(context, shell, program)
      }),
    )
}
