import type { DocOf, Kind } from '../kind.ts'
import { identity } from './common.ts'

export const capability = {
  name: 'capability',
  plural: 'capabilities',
  note: 'Something agents, models and tools can claim to be able to do.',
  card: { task: ['category', 'taxonomy'] },
  fields: {
    ...identity,
    taxonomy: { type: 'string', merge: 'register', search: 'value', facet: true, note: 'The order it is part of.' },
    parent: {
      type: 'string',
      merge: 'register',
      search: 'value',
      facet: true,
      note: 'The capability it is a part of.',
    },
    code: { type: 'integer', accepts: ['string'], merge: 'register', search: 'value', note: 'Its number there.' },
    requires: { type: 'list', items: 'string', merge: 'set', search: 'value', note: 'Capabilities it rests on.' },
    constraints: { type: 'any', merge: 'register', note: 'Where it ends.' },
    inputs: { type: 'any', merge: 'register', note: 'What it takes.' },
    outputs: { type: 'any', merge: 'register', note: 'What it gives back.' },
    examples: { type: 'list', merge: 'register', note: 'How it is put to use.' },
  },
} as const satisfies Kind

export type Capability = DocOf<typeof capability>
