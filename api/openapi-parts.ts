/** The pieces that routes describe themselves with, in OpenAPI 3.1. */
import { namedParameters } from './openapi-parameters.ts'
import { PROBLEMS, type ProblemCode } from './problem.ts'

type Part = Readonly<Record<string, unknown>>

export function schema(name: string): Part {
  return { $ref: `#/components/schemas/${name}` }
}

/** Operations of one tag. */
export function describe(tag: string) {
  return (operationId: string, summary: string, where: readonly unknown[], responses: Part, body?: Part): Part => ({
    operationId,
    summary,
    tags: [tag],
    ...(where.length > 0 && { parameters: where }),
    ...(body !== undefined && { requestBody: body }),
    responses,
  })
}

export function requestBody(content: Part, types: readonly string[], description?: string): Part {
  return {
    required: true,
    ...(description !== undefined && { description }),
    content: Object.fromEntries(types.map((type) => [type, { schema: content }])),
  }
}

export function ok(description: string, content: Part, type = 'application/json'): Part {
  return { 200: { description, headers: entityTag, content: { [type]: { schema: content } } } }
}

export function okTyped(description: string, types: Readonly<Record<string, Part>>): Part {
  return {
    200: {
      description,
      content: Object.fromEntries(Object.entries(types).map(([type, content]) => [type, { schema: content }])),
    },
  }
}

export function created(content: Part): Part {
  return {
    201: {
      description: 'It exists now',
      headers: { ...entityTag, Location: { description: 'Where it is read', schema: { type: 'string' } } },
      content: { 'application/json': { schema: content } },
    },
  }
}

export const noContent: Part = { 204: { description: 'Done' } }
export const notModified: Part = { 304: { description: 'The reader has it' } }

const entityTag = { ETag: { $ref: '#/components/headers/ETag' } }

/** Responses for these problems; those with one status are told together. */
export function problems(...codes: readonly ProblemCode[]): Part {
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of [...codes, 'host-not-allowed'] as const) {
    const status = PROBLEMS[code][0]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, these]) => [
      status,
      {
        description: these.map((code) => `${code}: ${PROBLEMS[code][1]}`).join('; '),
        content: { 'application/problem+json': { schema: schema('Problem') } },
      },
    ]),
  )
}

function ref(name: string): Part {
  return { $ref: `#/components/parameters/${name}` }
}

/** A reference to each of them, by its name. */
export const parameters = Object.fromEntries(Object.keys(namedParameters).map((name) => [name, ref(name)])) as {
  readonly [Name in keyof typeof namedParameters]: Part
}
