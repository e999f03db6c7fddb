import type { DocOf, Kind } from '../kind.ts'
import { connection, identity, installation, variables } from './common.ts'

export const workflow = {
  name: 'workflow',
  plural: 'workflows',
  note: 'Steps that several agents or tools take together.',
  card: { task: ['framework', 'category'], size: ['steps'] },
  fields: {
    ...identity,
    ...installation,
    ...connection,
    framework: {
      type: 'enum',
      values: ['LangChain', 'CrewAI', 'LlamaIndex'],
      merge: 'register',
      search: 'value',
      words: true,
      facet: true,
      also: 'frameworks',
      note: 'What runs it.',
    },
    frameworks: {
      type: 'list',
      items: 'any',
      merge: 'set',
      search: 'value',
      words: true,
      note: 'When several can run it.',
    },
    nodes: {
      type: 'list',
      merge: 'register',
      search: 'words',
      note: 'Its steps.',
      items: {
        type: 'map',
        fields: {
          name: { type: 'string', merge: 'register', note: 'Name of the step.' },
          type: { type: 'string', merge: 'register', note: 'What carries it out.' },
        },
      },
    },
    edges: { type: 'list', items: 'list', merge: 'register', note: 'Pairs of names: from, to.' },
    steps: {
      type: 'integer',
      accepts: ['list'],
      merge: 'register',
      search: 'range',
      minimum: 0,
      note: 'How many steps it has, or the steps themselves.',
    },
    trigger: { type: 'any', merge: 'register', note: 'What starts it.' },
    inputs: { type: 'any', merge: 'register', note: 'What it takes.' },
    outputs: { type: 'any', merge: 'register', note: 'What it gives back.' },
    tools: {
      type: 'list',
      items: 'string',
      merge: 'set',
      search: 'value',
      words: true,
      facet: true,
      note: 'What it calls: record ids or names.',
    },
    agents: { type: 'list', items: 'string', merge: 'set', search: 'value', note: 'Who takes part.' },
    notes: {
      type: 'list',
      items: 'string',
      accepts: ['string'],
      merge: 'register',
      search: 'words',
      format: 'markdown',
      note: 'What its author writes beside the steps.',
    },
    variables,
  },
} as const satisfies Kind

export type Workflow = DocOf<typeof workflow>
