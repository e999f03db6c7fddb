/**
 * Publishing many documents: what goes into a request, and what comes out of it, whoever signs.
 */
import { equalValues, fieldAt, type Kind, RESERVED_FIELDS, utf8Length, type Value } from '../crdt/index.ts'
import type { BatchError, RecordJson } from './answers.ts'
import { ClientError } from './client-error.ts'
import { batchBytesMax, batchLinesMax } from './limits.ts'
import { kindNamed } from './reference.ts'
import type { FieldError, SignedOutcome } from './signed-write.ts'

/** One document to publish: what it is, what it is called in its owner's namespace (default: its name), what it says. */
export type Entry = { readonly kind: string; readonly slug?: string; readonly doc: Readonly<Record<string, unknown>> }
export type PublishOptions = { readonly signal?: AbortSignal } & {
  /** Keep known fields of the wrong type. */
  readonly lenient?: boolean
  /** Remove what the document does not name; without it that stays. */
  readonly replace?: boolean
}
export type Published = {
  readonly id?: string
  readonly outcome: 'created' | 'merged' | 'unchanged' | 'refused'
  readonly error?: { readonly message: string; readonly errors: readonly FieldError[] }
}
/** Cuts entries into the lines of requests that /v1/batch takes, in order. `from` is the first one's place. */
export function* batches(
  entries: Iterable<Entry>,
): Generator<{ readonly from: number; readonly lines: readonly string[] }> {
  let lines: string[] = []
  let bytes = 0
  let from = 0
  for (const { kind, slug, doc } of entries) {
    // A node knows kinds by their singular name; one that nobody knows is for the node to refuse.
    const name = kindNamed(kind)?.name ?? kind
    const line = JSON.stringify({ kind: name, ...(slug !== undefined && { slug }), doc })
    const size = utf8Length(line) + 1
    if (lines.length === batchLinesMax || (lines.length > 0 && bytes + size > batchBytesMax)) {
      yield { from, lines }
      from += lines.length
      lines = []
      bytes = 0
    }
    lines.push(line)
    bytes += size
  }
  if (lines.length > 0) yield { from, lines }
}

/** Whether a record shows every field of a document as the document has it. */
export function saysAlready(kind: Kind, shown: RecordJson, doc: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(doc).every(([name, value]) => {
    if (!Object.hasOwn(shown, name) || RESERVED_FIELDS.includes(name)) return false
    // Members of a set have no order; every other list has.
    const [is, wanted] =
      fieldAt(kind, [name])?.merge === 'set' ? [sorted(shown[name]), sorted(value)] : [shown[name], value]
    return equalValues(is as Value, wanted as Value)
  })
}

function sorted(value: unknown): unknown {
  return Array.isArray(value) ? value.map((item) => JSON.stringify(item)).sort() : value
}

/** A signed write's outcome in the words of a batch. */
export function published(id: string, outcome: SignedOutcome): Published {
  if (outcome.outcome === 'refused') {
    const message = outcome.errors.map((error) => error.message).join('; ')
    return { id, outcome: 'refused', error: { message, errors: outcome.errors } }
  }
  return {
    id,
    outcome: outcome.outcome === 'created' ? 'created' : outcome.outcome === 'unchanged' ? 'unchanged' : 'merged',
  }
}

export function invalid(name: string, errors: readonly FieldError[]): ClientError {
  const message = [`${name}:`, ...errors.map((error) => `${error.pointer} ${error.message}`.trim())].join('\n  ')
  return new ClientError('invalid', message, { problem: { errors } })
}

export function fieldErrorsOf(error: ClientError): FieldError[] {
  return (error.problem?.errors ?? []).map(({ pointer = '', message = error.message }) => ({ pointer, message }))
}

/** An outcome's error: a problem document, or its words alone. */
export function readError(error: BatchError): { message: string; errors: readonly FieldError[] } {
  if (typeof error === 'string') return { message: error, errors: [] }
  const message = error.detail ?? error.message ?? error.title ?? error.code ?? 'refused'
  const errors = (error.errors ?? []).map(({ pointer = '', message = '' }) => ({ pointer, message }))
  return { message, errors }
}
