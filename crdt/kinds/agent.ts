import type { DocOf, Kind } from '../kind.ts'
import { connection, formfileTemplate, identity, installation, MODEL_TYPES, resources, variables } from './common.ts'

export const agent = {
  name: 'agent',
  plural: 'agents',
  note: 'A program that pursues a task with a model and tools.',
  serves: ['a2a'],
  idAlias: 'agent_id',
  card: { task: ['agent_type'] },
  fields: {
    ...identity,
    ...installation,
    ...connection,
    agent_type: {
      type: 'enum',
      values: ['Chatbot', 'Assistant', 'DataAnalyst', 'CodeGenerator', 'ContentCreator', 'Researcher'],
      merge: 'register',
      search: 'value',
      words: true,
      facet: true,
      note: 'What it does for a living.',
    },
    framework: {
      type: 'enum',
      values: ['LangChain', 'AutoGPT', 'CrewAI', 'LlamaIndex', 'BabyAGI', 'CustomRust', 'CustomPython', 'CustomJS'],
      merge: 'register',
      search: 'value',
      words: true,
      facet: true,
      also: 'frameworks',
      note: 'What it is built with.',
    },
    frameworks: {
      type: 'list',
      items: 'any',
      merge: 'set',
      search: 'value',
      words: true,
      note: 'When it is built with several.',
    },
    compatible_model_types: {
      type: 'list',
      items: { type: 'enum', values: MODEL_TYPES },
      merge: 'set',
      search: 'value',
      facet: true,
      note: 'The types of model it can think with.',
    },
    preferred_models: {
      type: 'list',
      items: 'string',
      merge: 'register',
      search: 'value',
      note: 'The models it likes best, best first: record ids or names.',
    },
    tools: {
      type: 'list',
      items: 'string',
      merge: 'set',
      search: 'value',
      words: true,
      note: 'What it can call: record ids or names.',
    },
    formfile_template: formfileTemplate,
    resource_requirements: {
      type: 'map',
      merge: 'map',
      note: 'What it takes to run it, without its model.',
      fields: resources,
    },
    system_prompt: { type: 'string', merge: 'text', search: 'words', note: 'What it is told before anything else.' },
    opening_message: { type: 'string', merge: 'text', search: 'words', note: 'What it says first.' },
    example_inputs: { type: 'list', items: 'string', merge: 'register', search: 'words', note: 'What to ask it.' },
    variables,
  },
} as const satisfies Kind

export type Agent = DocOf<typeof agent>
