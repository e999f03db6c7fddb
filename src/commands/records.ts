/** Commands about records: written, found, read, and taken along. */
import type { Command } from 'commander'
import type { Does } from './does.ts'
import { collect, number, place } from './values.ts'

export function addRecordCommands(program: Command, does: Does): void {
  program.commandsGroup('Records:')

  program
    .command('publish')
    .description('publish manifests (YAML, JSON or JSON Lines); - is standard input')
    .argument('<file...>')
    .option('--key <file>', 'sign on this side, with a key file or a key made by `keys new`')
    .option('--kind <kind>', 'of entries that do not say theirs')
    .option('--replace', 'remove fields that an entry does not name')
    .option('--strict', 'leave with 1 when any entry was refused')
    .option('--dry-run', 'check only, send nothing')
    .action(does(async () => (await import('../cli/publish.ts')).run))

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
    .action(does(async () => (await import('../cli/import.ts')).run))

  program
    .command('get')
    .description('print records')
    .argument('<id...>')
    .option('--key <file>', "the key whose namespace kind/slug means, instead of the node's")
    .action(does(async () => (await import('../cli/get.ts')).run))

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
    .action(does(async () => (await import('../cli/list.ts')).run))

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
    .action(does(async () => (await import('../cli/search.ts')).run))

  const searches = program.command('searches').description('searches that are kept under a name')
  searches
    .command('list')
    .description('list them')
    .action(does(async () => (await import('../cli/searches.ts')).list))
  searches
    .command('delete')
    .description('forget some')
    .argument('<name...>')
    .action(does(async () => (await import('../cli/searches.ts')).remove))

  program
    .command('fields')
    .description('list the fields of a kind, or of all, with their commonest values')
    .argument('[kind]')
    .action(does(async () => (await import('../cli/fields.ts')).run))

  program
    .command('set')
    .description('change fields of a record')
    .argument('<id>')
    .argument('[field=value...]', 'a value is JSON where it reads as JSON, else text')
    .option('--unset <field>', 'remove a field (repeatable)', collect)
    .option('--key <file>', 'sign on this side')
    .option('--dry-run', 'print the merge patch, send nothing')
    .action(does(async () => (await import('../cli/set.ts')).run))

  program
    .command('edit')
    .description('change a record in your editor')
    .argument('<id>')
    .option('--key <file>', 'sign on this side')
    .option('--dry-run', 'print the edited record, send nothing')
    .action(does(async () => (await import('../cli/edit.ts')).run))

  program
    .command('delete')
    .description('delete records; their history is kept')
    .argument('<id...>')
    .option('--key <file>', 'sign on this side')
    .option('-y, --yes', 'do not ask')
    .option('--dry-run', 'say what would be deleted')
    .action(does(async () => (await import('../cli/delete.ts')).run))

  program
    .command('history')
    .description('print every op of a record, newest first')
    .argument('<id>')
    .option('--limit <n>', 'at most this many', number)
    .action(does(async () => (await import('../cli/history.ts')).run))

  program
    .command('diff')
    .description('print what changed in a record')
    .argument('<id>')
    .argument('[op..op]', 'one op, or two with .. between them; the newest when left out')
    .action(does(async () => (await import('../cli/diff.ts')).run))

  program
    .command('heads')
    .description('print the heads of a record, and what is in conflict')
    .argument('<id>')
    .action(does(async () => (await import('../cli/heads.ts')).run))

  program
    .command('export')
    .description('print all records as JSON Lines')
    .option('--kind <kind>', 'one kind only (repeatable)', collect)
    .option('--where <filter>', 'only what meets it (repeatable)', collect)
    .option('--out <file>', 'write a file; .gz is gzipped')
    .option('--bundle <file>', 'write the signed ops instead, which `import` takes in on a node without a network')
    .option('--owner <did>', 'of a bundle: one owner only (repeatable)', collect)
    .option('--query <text>', 'of a bundle: only the records that this search finds')
    .action(does(async () => (await import('../cli/export.ts')).run))

  program
    .command('init')
    .description('print a commented manifest to fill in')
    .argument('<kind>')
    .option('--out <file>', 'write a new file instead')
    .action(does(async () => (await import('../cli/init.ts')).run))
}
