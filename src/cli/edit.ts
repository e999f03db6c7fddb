/**
 * edit: a record as YAML in the person's editor; what changed in it goes in. When somebody else changed the record
 * meanwhile nothing is overwritten: the edited text is kept and its place is told.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RESERVED_FIELDS } from '../../crdt/index.ts'
import type { RecordJson } from '../answers.ts'
import { ClientError } from '../client-error.ts'
import { type Context, connect } from './context.ts'
import { EXIT, Failure } from './output.ts'
import { finish } from './written.ts'

export async function run(context: Context, reference: string): Promise<void> {
  const { out, env, signal } = context
  const editor = env.VISUAL || env.EDITOR
  if (!editor)
    throw new Failure(EXIT.usage, 'no editor: set EDITOR, or change single fields with: peerage set ID field=value')
  const client = await connect(context)
  const { record, etag } = await client.read(reference, { signal })
  const { parse, stringify } = await import('yaml')
  const before = `# ${record.kind}/${record.slug}, ${record.id}\n# Save and leave to publish what you changed.\n${stringify(fieldsOf(record), { lineWidth: 0 })}`
  const folder = await mkdtemp(join(tmpdir(), 'peerage-edit-'))
  const path = join(folder, 'record.yaml')
  await writeFile(path, before, { mode: 0o600 })
  let keep = false
  try {
    await runEditor(editor, path)
    const after = await readFile(path, 'utf8')
    if (after === before) {
      out.talk('nothing was changed')
      return
    }
    keep = true
    const fields: unknown = parse(after)
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
      throw new Failure(EXIT.error, 'the text is not a map of fields any more')
    }
    if (context.options.dryRun) {
      await out.value(fields)
    } else {
      const written = await client.replace(record.id, fields as Record<string, unknown>, {
        signal,
        ...(etag !== undefined && { ifMatch: etag }),
      })
      keep = false
      await finish(context, client, reference, written)
    }
  } catch (error) {
    if (keep) out.talk(`your text is kept in ${path}`)
    if (error instanceof ClientError && error.status === 412) {
      throw new Failure(EXIT.conflict, 'somebody changed the record meanwhile; edit it again', { cause: error })
    }
    throw error
  } finally {
    if (!keep) await rm(folder, { recursive: true, force: true })
  }
}

function fieldsOf(record: RecordJson): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !RESERVED_FIELDS.includes(name)))
}

/** Through a shell, for EDITOR may hold arguments; the path is an argument of its own and never parsed. */
function runEditor(editor: string, path: string): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', path], { stdio: 'inherit' })
    child.once('error', fail)
    child.once('exit', (code) => (code === 0 ? done() : fail(new Failure(EXIT.error, `the editor ended with ${code}`))))
  })
}
