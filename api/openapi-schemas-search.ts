/** Schemas of searching: the question, the answer, the fields there are, and searches that are kept. */
import { pageItemsDefault, pageItemsMax } from '../node/index.ts'
import { schema } from './openapi-parts.ts'
import {
  CID,
  COUNT,
  DID,
  FACETS_NOTE,
  FILTER_NOTE,
  ID,
  list,
  OP_TYPE,
  object,
  SEARCH_NAME,
  SORT_NOTE,
  TEXT,
  TIME,
} from './openapi-values.ts'

export function searchSchemas(names: readonly string[]): Record<string, unknown> {
  const paging = {
    total: COUNT,
    total_capped: { type: 'boolean', const: true },
    partial: {
      type: 'boolean',
      const: true,
      description: 'It had cost too much and was cut: what is here is right, and not all is here.',
    },
    damaged: {
      ...COUNT,
      description: "Records that are damaged on this node's disk and left out until peers have sent them again.",
    },
    next_cursor: TEXT,
    index_behind: COUNT,
  }
  const asked = {
    query: { ...TEXT, description: 'What to look for; left out, everything that the filters let through.' },
    filters: {
      description: `${FILTER_NOTE} Or an object with a value for each field, as in the query of a list.`,
      anyOf: [TEXT, { type: 'object', additionalProperties: true }],
    },
    kinds: { ...list({ type: 'string', enum: names }), description: 'Of a search over all kinds.' },
  }
  const query = object(
    {
      ...asked,
      facets: { ...list(TEXT), description: FACETS_NOTE },
      sort: { ...TEXT, description: SORT_NOTE },
      limit: { type: 'integer', minimum: 1, maximum: pageItemsMax, default: pageItemsDefault },
      cursor: TEXT,
      collapse: {
        type: 'boolean',
        default: false,
        description: 'Copies of one thing are shown under the one that is meant; total and cursor count those.',
      },
      explain: { type: 'boolean', default: false, description: 'Each item says what its score is made of.' },
    },
    [],
  )
  const item = object(
    {
      record: { anyOf: names.map((name) => schema(`${name}_record`)) },
      score: { type: 'number' },
      copies: { ...COUNT, description: 'With collapse: other records found that are copies of this one.' },
      parts: {
        type: 'object',
        description: 'With explain and words: what adds up to the score.',
        additionalProperties: { type: 'number' },
      },
      highlights: { type: 'object', additionalProperties: TEXT },
    },
    ['record', 'score'],
  )
  const value = object({ value: {}, count: COUNT })
  const facets = { type: 'object', additionalProperties: list(value) }
  return {
    ...Object.fromEntries(
      names.map((name) => [
        `${name}_list`,
        object({ items: list(schema(`${name}_record`)), facets, ...paging }, ['items', 'total']),
      ]),
    ),
    SearchQuery: query,
    SearchResult: object({ items: list(item), facets, ...paging }, ['items', 'facets', 'total']),
    Fields: object(
      {
        partial: { type: 'boolean', description: 'Counting was cut when it had cost too much; not all is here.' },
        fields: list(
          object(
            {
              name: { ...TEXT, description: 'Dotted path, as filters, facets and sort take it.' },
              type: { ...TEXT, description: "By its kind's table; missing for a field that none knows." },
              unit: TEXT,
              note: TEXT,
              types: { ...list(TEXT), description: 'Of the values that records have.' },
              records: { ...COUNT, description: 'That have it.' },
              values: { ...list(value), description: 'The commonest.' },
            },
            ['name', 'types', 'records', 'values'],
          ),
        ),
      },
      ['fields'],
    ),
    SearchToSave: object({ name: SEARCH_NAME, ...asked }, ['name']),
    SavedSearch: object(
      {
        name: SEARCH_NAME,
        ...asked,
        since: { ...COUNT, description: 'The last seq when it was saved.' },
        changes: { ...TEXT, description: 'Where it is followed.' },
      },
      ['name', 'since', 'changes'],
    ),
    SavedSearches: object({ items: list(schema('SavedSearch')) }),
    MatchChange: object(
      {
        seq: COUNT,
        op: CID,
        kind: TEXT,
        id: ID,
        type: OP_TYPE,
        actor: DID,
        w: TIME,
        match: {
          type: 'string',
          enum: ['new', 'changed', 'gone'],
          description: 'What the op means to the search: the record meets it since then, still does, or did before.',
        },
        slug: TEXT,
        name: {},
      },
      ['seq', 'op', 'kind', 'id', 'type', 'actor', 'w', 'match'],
    ),
  }
}
