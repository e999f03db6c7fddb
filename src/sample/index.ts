/**
 * The sample catalogue: about a hundred well-known models, agents, tools and services, so that a newcomer's first
 * search finds something. Facts only, as of mid 2025, with descriptions of our own; no entry claims to speak for its
 * publisher.
 */
import type { Doc } from '../../crdt/index.ts'
import { agents } from './agents.ts'
import { algorithms, capabilities, workflows } from './methods.ts'
import { models } from './models.ts'
import { services } from './services.ts'
import { tools } from './tools.ts'
import { personas, templates } from './words.ts'

export type SampleRecord = { readonly kind: string; readonly slug: string; readonly doc: Doc }

const byKind = {
  model: models,
  agent: agents,
  tool: tools,
  workflow: workflows,
  capability: capabilities,
  persona: personas,
  service: services,
  template: templates,
  algorithm: algorithms,
}

/** In the form that a batch takes. Provider and name are the two parts of the slug, where the entry gives none. */
export const sample: readonly SampleRecord[] = Object.entries(byKind).flatMap(([kind, docs]) =>
  Object.entries(docs).map(([slug, doc]) => ({ kind, slug, doc: { ...partsOf(slug), ...doc } as unknown as Doc })),
)

function partsOf(slug: string): { readonly name: string; readonly provider?: string } {
  const slash = slug.indexOf('/')
  return slash < 0 ? { name: slug } : { name: slug.slice(slash + 1), provider: slug.slice(0, slash) }
}
