/**
 * Fields that several kinds share, so that one question ("which licence?") has one field in every kind. Tables take
 * from here by name; nothing here is a kind.
 */
import type { Field } from '../kind.ts'

const name = {
  type: 'string',
  merge: 'register',
  search: 'name',
  note: 'Name people search for, as its source writes it. The slug when left out.',
} as const satisfies Field

const displayName = {
  type: 'string',
  merge: 'register',
  search: 'name',
  note: 'Name for people.',
} as const satisfies Field

/** Who it is, who stands behind it, and what may be done with it. */
export const identity = {
  name,
  display_name: displayName,
  provider: {
    type: 'string',
    merge: 'register',
    search: 'value',
    words: true,
    facet: true,
    note: 'Publisher or vendor as the source names it. The key that owns the record is owner_id, never this.',
  },
  version: { type: 'string', merge: 'register', search: 'value', note: 'Version as its publisher writes it.' },
  description: {
    type: 'string',
    merge: 'text',
    search: 'words',
    format: 'markdown',
    note: 'What it is and what it is good for.',
  },
  license: {
    type: 'string',
    merge: 'register',
    search: 'value',
    facet: true,
    format: 'spdx',
    also: 'licenses',
    note: 'SPDX id where there is one, else the name its publisher gives.',
  },
  licenses: {
    type: 'list',
    items: 'string',
    merge: 'set',
    search: 'value',
    format: 'spdx',
    note: 'When there are several licences.',
  },
  tags: {
    type: 'list',
    items: 'string',
    merge: 'set',
    search: 'value',
    words: true,
    facet: true,
    note: 'Free words to find it by.',
  },
  capabilities: {
    type: 'list',
    items: 'string',
    merge: 'set',
    search: 'value',
    words: true,
    facet: true,
    note: 'What it can do, such as tool_call or summarise.',
  },
  category: {
    type: 'string',
    merge: 'register',
    search: 'value',
    words: true,
    facet: true,
    note: 'The shelf its source puts it on.',
  },
  status: { type: 'string', merge: 'register', search: 'value', facet: true, note: 'Such as beta or deprecated.' },
  homepage: { type: 'string', merge: 'register', format: 'uri', note: 'Where to read more.' },
  repository: { type: 'string', merge: 'register', format: 'uri', note: 'Where the source is.' },
  icon: { type: 'string', merge: 'register', note: 'An emoji or the address of a picture.' },
  author: { type: 'string', merge: 'register', search: 'words', note: 'Who made it, where that is not the provider.' },
  contributors: { type: 'list', items: 'string', merge: 'set', search: 'value', note: 'Who had a hand in it.' },
  locale: { type: 'string', merge: 'register', search: 'value', facet: true, note: 'Language tag, such as zh-CN.' },
  readme: { type: 'string', merge: 'text', search: 'words', format: 'markdown', note: 'Long description, Markdown.' },
  likes: { type: 'integer', merge: 'register', search: 'range', minimum: 0, note: 'Likes or stars at the source.' },
  downloads: { type: 'integer', merge: 'register', search: 'range', minimum: 0, note: 'Downloads at the source.' },
  release_date: {
    type: 'string',
    merge: 'register',
    search: 'range',
    format: 'date',
    note: 'Day of release, YYYY-MM-DD.',
  },
  created_at: {
    type: 'integer',
    merge: 'register',
    search: 'range',
    format: 'time',
    unit: 's',
    note: "The document's own time, seconds since 1970. The register's is registered_at.",
  },
  updated_at: {
    type: 'integer',
    merge: 'register',
    search: 'range',
    format: 'time',
    unit: 's',
    note: "The document's own time, seconds since 1970. The register's is changed_at.",
  },
  integrity: {
    type: 'map',
    merge: 'map',
    note: 'Digests and signatures of what the record names.',
    fields: {
      sha256: { type: 'string', merge: 'register', search: 'value', note: 'SHA-256, hex.' },
      git_sha1: { type: 'string', merge: 'register', search: 'value', note: 'Git commit or blob, hex.' },
      signature: { type: 'string', merge: 'register', note: 'Such as minisign:...' },
      bytes: { type: 'integer', merge: 'register', minimum: 0, unit: 'B', note: 'Size.' },
    },
  },
  provenance: {
    type: 'list',
    merge: 'register',
    note: 'Where the record was taken from, and what each source says differently.',
    items: {
      type: 'map',
      fields: {
        source: { type: 'string', merge: 'register', note: 'Name of the source.' },
        path: { type: 'string', merge: 'register', note: 'File in the source.' },
        key: { type: 'string', merge: 'register', note: 'Key in the source.' },
        row: { type: 'integer', merge: 'register', minimum: 0, note: 'Row in the source.' },
        other: { type: 'map', merge: 'map', note: 'Fields this source says differently.' },
      },
    },
  },
  originals: {
    type: 'map',
    merge: 'map',
    note: 'Documents of other formats that it was made from, character for character: what was signed can be checked.',
    fields: {
      mcp: { type: 'string', merge: 'register', note: 'server.json of the MCP registry.' },
      a2a: { type: 'string', merge: 'register', note: 'A2A agent card.' },
      oasf: { type: 'string', merge: 'register', note: 'OASF record.' },
      'docker-mcp': { type: 'string', merge: 'register', note: 'server.yaml of the Docker MCP catalogue.' },
    },
  },
} as const satisfies Record<string, Field>

/** How it is fetched, installed and kept current. */
export const installation = {
  access: { type: 'string', merge: 'register', search: 'value', note: 'How it is reached, such as api_key or open.' },
  download: {
    type: 'map',
    merge: 'map',
    note: 'How to get it.',
    fields: {
      url: { type: 'string', merge: 'register', format: 'uri', note: 'Address.' },
      method: { type: 'string', merge: 'register', search: 'value', note: 'Such as api or direct.' },
      install_script: { type: 'string', merge: 'register', note: 'Command that installs it.' },
    },
  },
  compat: { type: 'map', merge: 'map', note: 'What it works with: name to version range or list.' },
  configurable: { type: 'boolean', merge: 'register', search: 'value', note: 'Whether it takes settings.' },
  auto_update: { type: 'boolean', merge: 'register', note: 'Whether it may be updated without asking.' },
  admin_approval_required: {
    type: 'boolean',
    merge: 'register',
    search: 'value',
    note: 'Whether an administrator must agree first.',
  },
  policies: { type: 'map', merge: 'map', note: 'Rules that hold when it is used, such as safety.' },
} as const satisfies Record<string, Field>

/** How it is called and what it must be told first. */
export const connection = {
  endpoints: {
    type: 'list',
    merge: 'register',
    note: 'Where it answers.',
    items: {
      type: 'map',
      fields: {
        type: { type: 'string', merge: 'register', note: 'Such as streamable-http or sse.' },
        url: {
          type: 'string',
          merge: 'register',
          format: 'uri',
          note: 'Address; variables in it are named in config.',
        },
      },
    },
  },
  config: {
    type: 'list',
    merge: 'register',
    note: 'Settings it needs, such as environment variables.',
    items: {
      type: 'map',
      fields: {
        name: { type: 'string', merge: 'register', note: 'Name of the variable.' },
        description: { type: 'string', merge: 'register', note: 'What to put there. Never a secret.' },
        required: { type: 'boolean', merge: 'register', note: 'Whether it fails without.' },
      },
    },
  },
} as const satisfies Record<string, Field>

/** Blanks to fill in, of prompts and templates. */
export const variables = {
  type: 'list',
  merge: 'register',
  note: 'Blanks to fill in.',
  items: {
    type: 'map',
    fields: {
      name: { type: 'string', merge: 'register', note: 'Name of the blank.' },
      default: { type: 'any', merge: 'register', note: 'What stands there when nothing is filled in.' },
      description: { type: 'string', merge: 'register', note: 'What belongs there.' },
    },
  },
} as const satisfies Field

/** What a machine must have, for everything that runs. */
export const resources = {
  min_vcpus: { type: 'number', merge: 'register', search: 'range', minimum: 0, note: 'Processors it needs.' },
  recommended_vcpus: { type: 'number', merge: 'register', search: 'range', minimum: 0, note: 'Processors it likes.' },
  min_memory_mb: {
    type: 'number',
    merge: 'register',
    search: 'range',
    minimum: 0,
    unit: 'MB',
    note: 'Memory it needs.',
  },
  recommended_memory_mb: {
    type: 'number',
    merge: 'register',
    search: 'range',
    minimum: 0,
    unit: 'MB',
    note: 'Memory it likes.',
  },
  min_disk_gb: { type: 'number', merge: 'register', search: 'range', minimum: 0, unit: 'GB', note: 'Disk it needs.' },
  recommended_disk_gb: {
    type: 'number',
    merge: 'register',
    search: 'range',
    minimum: 0,
    unit: 'GB',
    note: 'Disk it likes.',
  },
} as const satisfies Record<string, Field>

export const formfileTemplate = {
  type: 'string',
  merge: 'text',
  note: 'Formfile from which an instance is built.',
} as const satisfies Field

/** What a model is, in the seed's words; agents name the types they work with in the same words. */
export const MODEL_TYPES = ['LLM', 'Embedding', 'Multimodal', 'AudioProcessing', 'ImageGeneration'] as const

/** What the Hugging Face hub calls the tasks of each of them, the usual one first. */
export const MODEL_TASKS: Readonly<Record<(typeof MODEL_TYPES)[number], readonly string[]>> = {
  LLM: ['text-generation'],
  Embedding: ['feature-extraction', 'sentence-similarity'],
  Multimodal: ['image-text-to-text', 'visual-question-answering', 'image-to-text', 'video-text-to-text', 'any-to-any'],
  AudioProcessing: [
    'automatic-speech-recognition',
    'text-to-speech',
    'audio-classification',
    'text-to-audio',
    'audio-to-audio',
  ],
  ImageGeneration: ['text-to-image', 'image-to-image', 'unconditional-image-generation'],
}
