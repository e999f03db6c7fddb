import type { DocOf, Kind } from '../kind.ts'
import { identity, variables } from './common.ts'

export const persona = {
  name: 'persona',
  plural: 'personas',
  note: 'A role and a manner that an agent can take on.',
  card: { task: ['category'], size: ['variables'] },
  fields: {
    ...identity,
    system_prompt: { type: 'string', merge: 'text', search: 'words', note: 'The words that make an agent take it on.' },
    preferred_models: {
      type: 'list',
      items: 'string',
      merge: 'register',
      search: 'value',
      note: 'The models it suits best, best first.',
    },
    tools: { type: 'list', items: 'string', merge: 'set', search: 'value', note: 'What it calls.' },
    traits: {
      type: 'list',
      items: 'string',
      accepts: ['map'],
      merge: 'set',
      search: 'value',
      note: 'What it is like.',
    },
    communication_style: { type: 'string', merge: 'register', search: 'words', note: 'How it speaks.' },
    expertise: { type: 'list', items: 'string', merge: 'set', search: 'value', words: true, note: 'What it knows.' },
    example_inputs: { type: 'list', items: 'string', merge: 'register', search: 'words', note: 'What to ask it.' },
    variables,
  },
} as const satisfies Kind

export type Persona = DocOf<typeof persona>
