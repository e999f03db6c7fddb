import type { DocOf, Kind } from '../kind.ts'
import { connection, identity, installation, resources } from './common.ts'

export const tool = {
  name: 'tool',
  plural: 'tools',
  note: 'Something an agent can call, such as an MCP server.',
  serves: ['mcp'],
  card: { task: ['category', 'tool_type'], size: ['tools'] },
  fields: {
    ...identity,
    ...installation,
    ...connection,
    tool_type: {
      type: 'enum',
      values: ['Computational', 'DataProcessing', 'Communication', 'Integration'],
      merge: 'register',
      search: 'value',
      facet: true,
      note: 'What sort of work it does.',
    },
    protocol: {
      type: 'string',
      merge: 'register',
      search: 'value',
      facet: true,
      note: 'How it is called, such as mcp.',
    },
    runtime: {
      type: 'string',
      merge: 'register',
      search: 'value',
      facet: true,
      note: 'What it runs on, such as node.',
    },
    package: { type: 'string', merge: 'register', search: 'value', note: 'Name of the package that holds it.' },
    packages: {
      type: 'list',
      merge: 'register',
      note: "Packages it is installed from and how they are started, in the words of MCP's server.json.",
      items: 'map',
    },
    validated: { type: 'boolean', merge: 'register', search: 'value', note: 'Whether its source saw it answer.' },
    tools: {
      type: 'list',
      merge: 'register',
      search: 'words',
      note: 'The calls it offers.',
      items: {
        type: 'map',
        fields: {
          name: { type: 'string', merge: 'register', note: 'Name of the call.' },
          description: { type: 'string', merge: 'register', note: 'What it does.' },
          parameters: { type: 'any', merge: 'register', note: 'JSON Schema of what it takes.' },
        },
      },
    },
    parameters: { type: 'any', merge: 'register', note: 'What it takes: JSON Schema, or a list of parameters.' },
    returns: { type: 'any', merge: 'register', note: 'What it gives back: JSON Schema.' },
    safety: { type: 'string', merge: 'register', search: 'value', note: 'How dangerous a call can be.' },
    permissions: { type: 'list', items: 'string', merge: 'set', search: 'value', note: 'What it must be allowed.' },
    resource_requirements: { type: 'map', merge: 'map', note: 'What it takes to run it.', fields: resources },
  },
} as const satisfies Kind

export type Tool = DocOf<typeof tool>
