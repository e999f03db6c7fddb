/**
 * Live credentials that have slipped into a public catalogue. What is found is named by its kind and its place, never
 * by its value, and the entry is refused: a register that copies to every peer takes nothing back.
 *
 * Only forms that are credentials beyond doubt are known here. What is meant as an example (EXAMPLE, xxxx, three
 * characters repeated) is let through.
 */
import { pointerOf } from '../../crdt/index.ts'
import type { FieldError } from '../signed-write.ts'

const KINDS: readonly (readonly [kind: string, form: RegExp])[] = [
  ['a Hugging Face token', /\bhf_[A-Za-z0-9]{30,}\b/g],
  ['a GitHub token', /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})\b/g],
  ['a GitLab token', /\bglpat-[A-Za-z0-9_-]{20,}/g],
  // A digit and a capital: names of things are written with sk- too.
  ['an API key (sk-)', /\bsk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[A-Za-z0-9_-]{20,}/g],
  ['a Stripe key', /\b[rs]k_live_[A-Za-z0-9]{16,}\b/g],
  ['an AWS access key', /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g],
  ['a Slack token', /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g],
  ['a Google API key', /\bAIza[A-Za-z0-9_-]{35}\b/g],
  ['an npm token', /\bnpm_[A-Za-z0-9]{36}\b/g],
  ['a Telegram bot token', /\b\d{8,10}:AA[A-Za-z0-9_-]{33}\b/g],
  ['a private key', /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----\s*(?:[^-\s][^-]{15,})/g],
]

/** The kinds of secret in a text. */
export function secretsIn(text: string): string[] {
  return KINDS.flatMap(([kind, form]) => ([...text.matchAll(form)].some(([found]) => !isExample(found)) ? [kind] : []))
}

const DISTINCT_CHARS_MIN = 10

function isExample(found: string): boolean {
  return /example|placeholder|your[-_]|xxxx|\*{3}|\.\.\./i.test(found) || new Set(found).size < DISTINCT_CHARS_MIN
}

/**
 * The secrets in an entry, by the place they are in. Its texts are looked at one by one, so that the place can be told;
 * the document it was made from by its lines, for a comment is a place too.
 */
export function secretErrors(value: unknown, original?: string): FieldError[] {
  const errors = [...inValue(value, [])]
  if (original === undefined || errors.length > 0) return errors
  return original.split('\n').flatMap((line, at) => {
    return secretsIn(line).map((kind) => ({ pointer: `line ${at + 1}`, message: `holds ${kind}` }))
  })
}

function* inValue(value: unknown, path: readonly string[]): Generator<FieldError> {
  if (typeof value === 'string') {
    for (const kind of secretsIn(value)) yield { pointer: pointerOf(path), message: `holds ${kind}` }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      for (const kind of secretsIn(key)) yield { pointer: pointerOf(path), message: `holds ${kind} as a key` }
      yield* inValue(item, [...path, key])
    }
  }
}
