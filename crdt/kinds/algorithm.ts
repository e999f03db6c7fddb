import type { DocOf, Kind } from '../kind.ts'
import { identity, installation } from './common.ts'

export const algorithm = {
  name: 'algorithm',
  plural: 'algorithms',
  note: 'A method with a name: a way to plan, to retrieve, to remember, to encrypt.',
  card: { task: ['algorithm_type', 'type', 'category'], size: ['patterns'] },
  fields: {
    ...identity,
    ...installation,
    algorithm_type: {
      type: 'string',
      merge: 'register',
      search: 'value',
      words: true,
      facet: true,
      note: 'What it is for, such as planning or hash.',
    },
    type: { type: 'string', merge: 'register', search: 'value', note: 'The same under the name that manifests use.' },
    entrypoint: { type: 'string', merge: 'register', note: 'Where its code begins: file:function.' },
    inputs: { type: 'list', merge: 'register', accepts: ['map'], note: 'What it takes, in order.' },
    outputs: { type: 'list', merge: 'register', accepts: ['map'], note: 'What it gives back, in order.' },
    depends_on: {
      type: 'list',
      items: 'string',
      merge: 'set',
      search: 'value',
      note: 'What it needs, such as model://name or tool://name.',
    },
    patterns: {
      type: 'list',
      items: 'string',
      merge: 'register',
      search: 'words',
      note: 'How its variants are written.',
    },
    references: {
      type: 'list',
      merge: 'register',
      note: 'Where it is described.',
      items: {
        type: 'map',
        fields: {
          name: { type: 'string', merge: 'register', note: 'Name of the text.' },
          url: { type: 'string', merge: 'register', format: 'uri', note: 'Address.' },
        },
      },
    },
    complexity: { type: 'string', merge: 'register', note: 'How its cost grows.' },
  },
} as const satisfies Kind

export type Algorithm = DocOf<typeof algorithm>
