/**
 * POST /v1/batch: many documents in one request, as JSON Lines in and out. A line that cannot be read is refused by
 * itself. Outcomes are told when all of the request is durable, so that an answered batch is a kept one.
 */
import type { Context } from 'hono'
import {
  type BatchItem,
  type BatchOutcome,
  httpBatchBytesMax,
  httpBatchLinesMax,
  type NodeFace,
} from '../node/index.ts'
import { type Access, scopeProblem } from './auth.ts'
import { JSON_LINES_TYPES, readBody } from './body.ts'
import { readJson } from './json.ts'
import { describe, ok, parameters, problems, requestBody, schema } from './openapi-parts.ts'
import { isProblem, type Problem, problemOf } from './problem.ts'
import { type Answer, type Route, typedAnswer, type Visit } from './route.ts'

export function batchRoutes(node: NodeFace): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/batch',
      token: true,
      looksAtKinds: true,
      handle: (c, visit) => batch(node, c, visit),
      operation: describe('batch')(
        'batch',
        `Registers or changes up to ${httpBatchLinesMax} records, signed by this node`,
        [parameters.lenient, parameters.mode],
        {
          ...ok('One BatchOutcome a line, in order', schema('BatchOutcome'), JSON_LINES_TYPES[0]),
          ...problems('unauthorised', 'bad-query', 'too-large', 'unsupported-type', 'busy'),
        },
        requestBody(schema('BatchItem'), JSON_LINES_TYPES, 'One BatchItem a line.'),
      ),
    },
  ]
}

type Line = { readonly i: number; readonly item: BatchItem } | { readonly i: number; readonly problem: Problem }

async function batch(node: NodeFace, c: Context, visit: Visit): Promise<Answer> {
  const query = new URL(c.req.url).searchParams
  const lenient = flagOf(query.get('lenient'))
  const mode = query.get('mode') ?? 'merge'
  if (lenient === undefined || (mode !== 'merge' && mode !== 'replace')) {
    return { problem: 'bad-query', detail: 'lenient is true or false; mode is merge or replace' }
  }
  const body = await readBody(c, { bytesMax: httpBatchBytesMax, types: JSON_LINES_TYPES, trusted: true })
  if (!(body instanceof Uint8Array)) return body
  const lines = readLines(body)
  if (isProblem(lines)) return lines
  const limited = lines.length > 1 ? visit.charge(lines.length - 1) : undefined
  if (limited !== undefined) return limited
  const { access } = visit
  if (access !== undefined) refuseOthers(lines, access)
  const items = lines.flatMap((line) => ('item' in line ? [line.item] : []))
  const outcomes = (await node.catalogue.batch(items, { lenient, replace: mode === 'replace' })).values()
  const answers = lines.map((line) => {
    const answer = 'item' in line ? outcomeToJson(outcomes.next().value as BatchOutcome) : refused(line.problem)
    return `${JSON.stringify({ i: line.i, ...answer })}\n`
  })
  return typedAnswer(answers.join(''), JSON_LINES_TYPES[0])
}

function flagOf(text: string | null): boolean | undefined {
  if (text === null || text === 'false') return false
  return text === 'true' ? true : undefined
}

const NEWLINE = 0x0a

/** `i` counts the lines that are not blank. */
function readLines(bytes: Uint8Array): Line[] | Problem {
  const lines: Line[] = []
  for (let start = 0; start < bytes.length; ) {
    let end = bytes.indexOf(NEWLINE, start)
    if (end < 0) end = bytes.length
    const line = bytes.subarray(start, end)
    start = end + 1
    if (isBlank(line)) continue
    if (lines.length === httpBatchLinesMax)
      return { problem: 'too-large', detail: `a batch is at most ${httpBatchLinesMax} lines` }
    const i = lines.length
    const read = readJson(line)
    const item = read.ok ? itemOf(read.value) : ({ problem: 'bad-request', detail: read.message } as const)
    lines.push(isProblem(item) ? { i, problem: item } : { i, item })
  }
  return lines
}

/** A token for some kinds writes those and no other; the rest of its batch goes in. */
function refuseOthers(lines: Line[], access: Access): void {
  for (const [at, line] of lines.entries()) {
    const problem = 'item' in line ? scopeProblem(access, 'write', [line.item.kind]) : undefined
    if (problem !== undefined) lines[at] = { i: line.i, problem }
  }
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)
}

function itemOf(value: unknown): BatchItem | Problem {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return wrong('', 'expected {kind, slug?, doc}')
  const { kind, slug, doc, ...rest } = value as Record<string, unknown>
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) return wrong(`/${unknown.slice(0, 100)}`, 'there is no such member')
  if (typeof kind !== 'string') return wrong('/kind', 'expected the name of a kind')
  if (slug !== undefined && typeof slug !== 'string') return wrong('/slug', 'expected text')
  return { kind, doc, ...(slug !== undefined && { slug }) }
}

function wrong(pointer: string, message: string): Problem {
  return {
    problem: 'invalid',
    detail: pointer === '' ? message : `${pointer}: ${message}`,
    errors: [{ pointer, message }],
  }
}

function outcomeToJson(outcome: BatchOutcome) {
  const { id } = outcome
  if (outcome.outcome !== 'refused') return { id, outcome: outcome.outcome }
  return { ...(id !== undefined && { id }), ...refused(problemOf(outcome.refusal)) }
}

function refused({ problem, detail, errors }: Problem) {
  return { outcome: 'refused', error: { code: problem, detail, ...(errors && { errors }) } }
}
