import type { DocOf, Kind } from '../kind.ts'
import { identity, variables } from './common.ts'

export const template = {
  name: 'template',
  plural: 'templates',
  note: 'A form to fill in: a prompt, a configuration, a workflow.',
  card: { task: ['format', 'category'], size: ['variables'] },
  fields: {
    ...identity,
    content: { type: 'string', accepts: ['map', 'list'], merge: 'text', search: 'words', note: 'The form itself.' },
    format: { type: 'string', merge: 'register', search: 'value', facet: true, note: 'Such as text, json or jinja2.' },
    target: { type: 'string', merge: 'register', search: 'value', note: 'What comes out when it is filled in.' },
    extends: { type: 'string', merge: 'register', search: 'value', note: 'The form it adds to.' },
    variables,
    examples: { type: 'list', merge: 'register', note: 'How it looks filled in.' },
  },
} as const satisfies Kind

export type Template = DocOf<typeof template>
