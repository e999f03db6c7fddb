import type { DocOf, Kind } from '../kind.ts'
import { connection, identity, installation, resources } from './common.ts'

export const service = {
  name: 'service',
  plural: 'services',
  note: 'Software or an API that runs somewhere and that agents can use.',
  card: { task: ['service_type', 'category'] },
  fields: {
    ...identity,
    ...installation,
    ...connection,
    service_type: {
      type: 'string',
      merge: 'register',
      search: 'value',
      facet: true,
      note: 'Such as REST or database.',
    },
    platforms: {
      type: 'list',
      items: 'string',
      merge: 'set',
      search: 'value',
      words: true,
      facet: true,
      note: 'What it runs on or is written in.',
    },
    authentication: { type: 'any', merge: 'register', note: 'How it wants to be convinced. Never a secret.' },
    rate_limits: { type: 'any', merge: 'register', note: 'How often it may be asked.' },
    client_package: { type: 'string', merge: 'register', search: 'value', note: 'Package that talks to it.' },
    demo_url: { type: 'string', merge: 'register', format: 'uri', note: 'Where it can be tried.' },
    depends_3rdparty: {
      type: 'boolean',
      merge: 'register',
      search: 'value',
      note: 'Whether it needs a service that its operator does not run.',
    },
    resource_requirements: { type: 'map', merge: 'map', note: 'What it takes to run it.', fields: resources },
  },
} as const satisfies Kind

export type Service = DocOf<typeof service>
