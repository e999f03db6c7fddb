/** Commands about keys, and about who may write a record. */
import type { Command } from 'commander'
import type { Does } from './does.ts'
import { collect } from './values.ts'

export function addAuthorityCommands(program: Command, does: Does): void {
  program.commandsGroup('Keys, and who may write:')

  const keys = program.command('keys').description('publisher keys on this machine')
  keys
    .command('new')
    .description('make a key')
    .argument('[name]', 'a name, or a path')
    .option('--identity', 'an owner whose key can be replaced, with the seed of its keys in a second file')
    .option('--network <name>', 'with --identity: the network it is for')
    .action(does(async () => (await import('../cli/keys.ts')).makeKey))
  keys
    .command('rotate')
    .description('hand an identity on to its next key')
    .argument('[name]', 'a name, or a path')
    .option('--seed <file>', 'the seed file of the identity')
    .option('--since <op>', 'keep only what the old key did before this op came')
    .option('--drop', 'keep nothing of what the old key did')
    .action(does(async () => (await import('../cli/keys.ts')).rotate))
  keys
    .command('list')
    .description('list keys')
    .action(does(async () => (await import('../cli/keys.ts')).list))
  keys
    .command('show')
    .description('print the did:key of a key')
    .argument('[name]', 'a name, or a path')
    .action(does(async () => (await import('../cli/keys.ts')).show))

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
    .action(does(async () => (await import('../cli/authority.ts')).grant))

  program
    .command('revoke')
    .description('end a grant; what was done under it stays as far as the node has seen it')
    .argument('<grant|did>', 'a grant, or a key: then all it holds')
    .option('--since <op>', 'keep only what came before this op')
    .option('--drop', 'keep nothing')
    .option('--owner <did>', 'whose grants')
    .option('--key <file>', 'sign on this side')
    .action(does(async () => (await import('../cli/authority.ts')).revoke))

  program
    .command('authority')
    .description('print who may write a record, or the grants of an owner, and which ops do not count')
    .argument('[id|did]')
    .option('--key <file>', 'whose grants, when nothing is named')
    .action(does(async () => (await import('../cli/authority.ts')).show))

  program
    .command('verify')
    .description('check every op of a record on this side, and print the way from its owner to each')
    .argument('<id>')
    .option('--key <file>', "the key whose namespace kind/slug means, instead of the node's")
    .action(does(async () => (await import('../cli/verify.ts')).run))

  program
    .command('erase')
    .description('take ops of a record out for good: a leaked secret, abuse, the law')
    .argument('<id>')
    .option('--op <op>', 'only this op (repeatable)', collect)
    .option('--reason <text>', 'why; everybody can read it')
    .option('-y, --yes', 'do not ask')
    .option('--key <file>', 'sign on this side')
    .action(does(async () => (await import('../cli/authority.ts')).erase))
}
