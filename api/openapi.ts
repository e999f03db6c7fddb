/**
 * The OpenAPI 3.1 document, built from the kinds' tables and the routes themselves, so that neither can be forgotten.
 */
import { type Kind, kinds, OP_TYPES, RIGHTS, recordSchemaOf, schemaOf } from '../crdt/index.ts'
import {
  httpBatchLinesMax,
  idempotencyKeyCharsMax,
  pageItemsDefault,
  pageItemsMax,
  policyReasonCharsMax,
} from '../node/index.ts'
import { interopParameters } from './interop/openapi.ts'
import { problems, parameters as ref, schema } from './openapi-parts.ts'
import { PROBLEMS, type ProblemCode } from './problem.ts'
import type { Route } from './route.ts'

export function openApi(routes: readonly Route[], version: string): Record<string, unknown> {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Peerage',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'A peer-to-peer register of AI models, agents and everything they need. Errors are RFC 9457 problem documents. Lists end in `next_cursor` and a `Link` with rel="next" while there is more. Answers carry `X-Request-Id`, and where requests are counted `RateLimit` and `RateLimit-Policy`.',
    },
    servers: [{ url: '/' }],
    tags: [
      ...Object.values(kinds).map((kind) => ({ name: kind.plural, description: kind.note })),
      { name: 'search', description: 'Over all kinds.' },
      { name: 'batch', description: 'Many records at once.' },
      { name: 'ops', description: 'Signed changes, as peers exchange them.' },
      { name: 'authority', description: 'Who may write.' },
      { name: 'changes', description: 'What arrives, in order.' },
      { name: 'webhooks', description: 'Changes, told to a URL of yours.' },
      { name: 'policy', description: 'What this node refuses, and how much of one hand it takes.' },
      { name: 'node', description: 'The node itself.' },
      { name: 'interop', description: 'For clients of other registers: MCP, A2A, Hugging Face, AI Catalog.' },
    ],
    paths: pathsOf(routes),
    components: { securitySchemes, parameters, headers, responses: problems(...DOOR), schemas: schemas() },
  }
}

/** What can be answered before a handler runs, or when the world fails under it. */
const DOOR = [
  'bad-request',
  'unauthorised',
  'forbidden',
  'origin-not-allowed',
  'timeout',
  'too-large',
  'key-reused',
  'rate-limited',
  'headers-too-large',
  'internal',
  'busy',
  'unavailable',
  'store-full',
] as const satisfies readonly ProblemCode[]

const PUBLIC: readonly unknown[] = []
const TOKEN = [{ token: [] }]

function pathsOf(routes: readonly Route[]): Record<string, Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    const { path, method, operation, sameAs } = route
    if (sameAs !== undefined) paths[path] = { $ref: `#/paths/${sameAs.replaceAll('~', '~0').replaceAll('/', '~1')}` }
    else paths[path] = { ...paths[path], [method.toLowerCase()]: { ...operation, ...doorOf(route) } }
  }
  return paths
}

/** What holds for a route whatever it does: whom it answers, and what it may be answered before its handler runs. */
function doorOf(route: Route): Record<string, unknown> {
  const { method, operation, token, open } = route
  const writes = method !== 'GET'
  const keyed = token && method === 'POST'
  const statuses = [
    ...statusesOf(['host-not-allowed', 'timeout', 'rate-limited', 'headers-too-large', 'internal', 'busy']),
    ...(open ? [] : statusesOf(['unauthorised'])),
    ...(writes ? statusesOf(['bad-request', 'too-large']) : []),
    ...(token ? statusesOf(['store-full']) : []),
    ...(keyed ? statusesOf(['key-reused']) : []),
  ]
  const parameters = [...((operation['parameters'] ?? []) as unknown[]), ...(keyed ? [ref.idempotencyKey] : [])]
  return {
    ...(parameters.length > 0 && { parameters }),
    security: token ? TOKEN : PUBLIC,
    responses: {
      ...Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }])),
      ...(operation['responses'] as object),
    },
  }
}

function statusesOf(codes: readonly ProblemCode[]): number[] {
  return codes.map((code) => PROBLEMS[code][0])
}

const securitySchemes = {
  token: {
    type: 'http',
    scheme: 'bearer',
    description: "The main token in the node's data folder, or one made with `peerage tokens new`.",
  },
}

const headers = {
  ETag: { description: 'Made of the heads: equal tags are equal answers.', schema: { type: 'string' } },
}

const ID = { type: 'string', pattern: '^[0-9a-f]{64}$' }
const CID = { type: 'string', pattern: '^b[a-z2-7]{58}$' }
const DID = { type: 'string', pattern: '^did:' }
const TEXT = { type: 'string' }
const COUNT = { type: 'integer', minimum: 0 }
const TIME = { type: 'integer', description: 'ms since 1970, by the clock of who signed.' }

function parameter(name: string, where: string, description: string, content: unknown, more: object = {}) {
  return { name, in: where, description, required: where === 'path', schema: content, ...more }
}

const FILTER_NOTE =
  'A filter: tests of fields (=, !=, <, <=, >, >=, in (...), contains, exists) with and, or, not and parentheses, such as `license in (mit, apache-2.0) and context_length >= 128k`. Texts with blanks go in quotes; 8..70 is a range, 24GB a size, 2026-01-31 a day.'

const SEARCH_NAME = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' }
const SORT_NOTE =
  'A field, or -field for the other direction; name; updated, -updated; relevance. Left out: by relevance with words, else the newest first.'
const FACETS_NOTE =
  'Fields whose values are counted, each over what meets the conditions on the other fields; lists under their own conditions too.'

const parameters = {
  id: parameter('id', 'path', 'Record id.', ID),
  owner: parameter('owner', 'path', 'DID of the owner.', DID),
  slug: parameter('slug', 'path', 'What the owner calls it, percent-encoded, `/` as `%2F`.', TEXT),
  op: parameter('op', 'path', 'Op id.', CID),
  under: { ...parameter('under', 'query', 'A grant, rotate or identity.', CID), required: true },
  sinceOp: parameter('since', 'query', 'Only what was held before this op came.', CID),
  target: parameter('target', 'path', 'A did:key or did:peerage, a record id, or a libp2p peer id.', TEXT),
  webhook: parameter('webhook', 'path', 'Id of a webhook.', TEXT),
  letter: parameter('letter', 'path', 'Which dead letter.', COUNT),
  code: parameter('code', 'path', 'Code of a problem.', { type: 'string', enum: Object.keys(PROBLEMS) }),
  limit: parameter('limit', 'query', 'Items on a page.', {
    type: 'integer',
    minimum: 1,
    maximum: pageItemsMax,
    default: pageItemsDefault,
  }),
  cursor: parameter('cursor', 'query', 'next_cursor of the page before.', TEXT),
  sort: parameter('sort', 'query', SORT_NOTE, TEXT),
  query: parameter('query', 'query', 'Words to look for.', TEXT),
  onlyKinds: parameter('kinds', 'query', 'Some kinds only, by their singular names, comma between them.', TEXT),
  search: parameter('search', 'path', 'Name of a saved search.', SEARCH_NAME),
  facets: parameter('facets', 'query', `${FACETS_NOTE} Comma between them.`, TEXT),
  filter: parameter('filter', 'query', FILTER_NOTE, TEXT),
  filters: parameter(
    'filters',
    'query',
    'Every further parameter: a field or the last segment of its path, `_gte` and `_lte` behind it for bounds; named twice, both values are asked for. `owner` is the provider, or the owner when it is a DID.',
    { type: 'object', additionalProperties: TEXT },
    { style: 'form', explode: true },
  ),
  since: parameter('since', 'query', 'Only what arrived after this seq.', { ...COUNT, default: 0 }),
  lastEventId: parameter('Last-Event-ID', 'header', 'As since, for Server-Sent Events.', COUNT),
  lenient: parameter('lenient', 'query', 'Keep known fields of the wrong type.', { type: 'boolean', default: false }),
  mode: parameter('mode', 'query', 'Whether a document is laid over the record that is there, or takes its place.', {
    type: 'string',
    enum: ['merge', 'replace'],
    default: 'merge',
  }),
  stateHash: parameter('state_hash', 'query', '1 adds state_hash, which walks every record.', {
    type: 'string',
    enum: ['0', '1', 'true', 'false'],
  }),
  ifMatch: parameter('If-Match', 'header', 'Only when the record still has this ETag.', TEXT),
  ifNoneMatch: parameter('If-None-Match', 'header', '304 when the answer still has this ETag.', TEXT),
  idempotencyKey: parameter(
    'Idempotency-Key',
    'header',
    'Sent again with the same request, the first answer is repeated and nothing is done; with another request it is refused.',
    { type: 'string', minLength: 1, maxLength: idempotencyKeyCharsMax },
  ),
  ifNoneMatchAny: parameter('If-None-Match', 'header', '`*`: only when there is no such record.', TEXT),
  ...interopParameters,
}

function object(properties: Record<string, unknown>, required: readonly string[] = Object.keys(properties)) {
  return { type: 'object', properties, ...(required.length > 0 && { required }) }
}

function list(items: unknown) {
  return { type: 'array', items }
}

function schemas(): Record<string, unknown> {
  const all: readonly Kind[] = Object.values(kinds)
  const names = all.map((kind) => kind.name)
  const paging = {
    total: COUNT,
    total_capped: { type: 'boolean', const: true },
    partial: {
      type: 'boolean',
      const: true,
      description: 'It had cost too much and was cut: what is here is right, and not all is here.',
    },
    next_cursor: TEXT,
    index_behind: COUNT,
  }
  const problem = object(
    {
      type: TEXT,
      title: TEXT,
      status: { type: 'integer' },
      code: { type: 'string', enum: Object.keys(PROBLEMS) },
      detail: TEXT,
      errors: list(schema('FieldError')),
      position: { ...COUNT, description: "Of a filter that cannot be understood: UTF-16 units from the text's start." },
      hint: { ...TEXT, description: 'What may have been meant.' },
      request_id: TEXT,
    },
    ['type', 'title', 'status', 'code', 'detail', 'request_id'],
  )
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
  const granted = {
    rights: { ...list({ type: 'string', enum: [...RIGHTS] }), minItems: 1 },
    kinds: { ...list(TEXT), description: 'Not beside records; neither: all records of the owner.' },
    records: list(TEXT),
    fields: { ...list(TEXT), description: 'What may be written, as JSON Pointers or names of fields; missing: all.' },
    expires_at: TIME,
  }
  const grant = object(
    {
      op: CID,
      to: DID,
      by: DID,
      ...granted,
      chain: { ...list(CID), description: 'The grants it rests on.' },
      holds: { type: 'boolean' },
      taken_by: list(CID),
    },
    ['op', 'to', 'by', 'rights', 'chain', 'holds'],
  )
  const opType = {
    type: 'string',
    description: `${OP_TYPES.slice(0, 4).join(', ')}; further ones are kept and shown too`,
  }
  const verdict = object(
    {
      op: CID,
      frame: { ...COUNT, description: 'Which frame, when it was refused as a whole.' },
      verdict: { type: 'string', enum: ['applied', 'duplicate', 'pending', 'refused'] },
      reason: TEXT,
    },
    ['verdict'],
  )
  return {
    ...Object.fromEntries(all.map((kind) => [kind.name, schemaOf(kind)])),
    ...Object.fromEntries(all.map((kind) => [`${kind.name}_record`, recordSchemaOf(kind)])),
    ...Object.fromEntries(
      all.map((kind) => [
        `${kind.name}_list`,
        object({ items: list(schema(`${kind.name}_record`)), facets, ...paging }, ['items', 'total']),
      ]),
    ),
    Problem: problem,
    FieldError: object({ pointer: { ...TEXT, description: 'JSON Pointer (RFC 6901).' }, message: TEXT }),
    SearchQuery: query,
    SearchResult: object({ items: list(item), facets, ...paging }, ['items', 'facets', 'total']),
    Fields: object({
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
    }),
    BatchItem: object(
      {
        kind: { type: 'string', enum: names },
        slug: TEXT,
        doc: { type: 'object', additionalProperties: true },
      },
      ['kind', 'doc'],
    ),
    BatchOutcome: object(
      {
        i: { ...COUNT, maximum: httpBatchLinesMax - 1, description: 'Which line; blank ones are not counted.' },
        id: ID,
        outcome: { type: 'string', enum: ['created', 'merged', 'unchanged', 'refused'] },
        error: object({ code: TEXT, detail: TEXT, errors: list(schema('FieldError')) }, ['code', 'detail']),
      },
      ['i', 'outcome'],
    ),
    Verdicts: object({ results: list(verdict) }),
    History: object(
      {
        items: list(
          object(
            {
              op: CID,
              actor: DID,
              w: TIME,
              type: opType,
              patch: {
                ...list({ type: 'array' }),
                description: 'What it wrote: verbs of SPEC.md, with JSON Pointers for paths.',
              },
              parents: list(CID),
              inert: { type: 'boolean', const: true },
              voided_by: { ...list(CID), description: 'The revokes or rotates that took its authority.' },
              erased: { type: 'boolean', const: true },
              incomplete: { type: 'boolean', const: true },
            },
            ['op', 'actor', 'w', 'type', 'patch', 'parents'],
          ),
        ),
        next_cursor: TEXT,
      },
      ['items'],
    ),
    Heads: object(
      {
        heads: list(CID),
        conflicts: {
          type: 'object',
          description: 'By JSON Pointer, the value shown first.',
          additionalProperties: { type: 'array' },
        },
        voided: list(object({ op: CID, by: list(CID) })),
        erased: list(CID),
        incomplete: list(CID),
        equivocations: list(list(CID)),
      },
      ['heads', 'conflicts'],
    ),
    GrantWish: object(
      {
        to: { ...DID, description: 'The key that may write.' },
        ...granted,
        owner: { ...DID, description: 'Whose records, when not those of this node.' },
      },
      ['to', 'rights'],
    ),
    Granted: object({ grants: list(CID) }),
    Done: object({ ops: list(CID) }),
    RevokeWish: object(
      {
        keep: { type: 'string', enum: ['seen', 'nothing'], description: 'What outlives the grant; seen unless told.' },
        since: { ...CID, description: 'Keep what this node had seen before this op came.' },
      },
      [],
    ),
    Revoked: object({ revoke: CID, keeps: list(CID), kept: COUNT }),
    EraseWish: object({ ops: list(CID), reason: { type: 'string', maxLength: 256 } }, []),
    Erased: object({ erases: list(CID), erased: list(CID) }),
    Grant: grant,
    Authority: object({
      owner: DID,
      authority: { type: 'string', description: 'The authority record.' },
      ops: { ...list(CID), description: 'Each after what it names.' },
      grants: list(schema('Grant')),
    }),
    RecordAuthority: object({
      owner: DID,
      authority: { type: 'string', description: "The owner's authority record." },
      grants: { ...list(schema('Grant')), description: 'Those that say anything of the record.' },
      ops: {
        ...list(
          object(
            {
              op: CID,
              actor: DID,
              chain: list(CID),
              rank: COUNT,
              voided_by: list(CID),
              erased: { type: 'boolean', const: true },
              inert: { type: 'boolean', const: true },
            },
            ['op', 'actor', 'chain'],
          ),
        ),
        description: 'Parents first.',
      },
      equivocations: list(list(CID)),
    }),
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
        type: opType,
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
    Change: object({ seq: COUNT, op: CID, kind: TEXT, id: ID, type: opType, actor: DID, w: TIME }),
    ...webhookSchemas(names),
    ...policySchemas(),
    Status: object(
      {
        version: TEXT,
        network: TEXT,
        network_id: TEXT,
        peer_id: { type: ['string', 'null'] },
        did: { type: ['string', 'null'] },
        multiaddrs: list(TEXT),
        records: { type: 'object', additionalProperties: COUNT },
        ops: COUNT,
        root: { type: ['string', 'null'] },
        pending: COUNT,
        peers: list(
          object({ peer_id: TEXT, multiaddr: TEXT, root_equal: { type: 'boolean' }, ops_behind: COUNT }, ['peer_id']),
        ),
        sync: { type: 'object' },
        search: object({ seq: COUNT, behind: COUNT }),
        seq: COUNT,
        epoch: TEXT,
        state_hash: TEXT,
      },
      ['version', 'network', 'network_id', 'multiaddrs', 'records', 'ops', 'pending', 'peers', 'sync', 'search'],
    ),
  }
}

function policySchemas(): Record<string, unknown> {
  const quota = object({ ops_per_hour: COUNT, records: COUNT, bytes: COUNT }, [])
  const reason = { type: 'string', maxLength: policyReasonCharsMax, description: 'For whoever runs the node.' }
  const is = { type: 'string', enum: ['did', 'record', 'peer'] }
  return {
    BlockWish: object({ reason }, []),
    Block: object({ target: TEXT, is, at: { ...COUNT, description: 'ms since 1970.' }, reason }, [
      'target',
      'is',
      'at',
    ]),
    Blocks: object({ items: list(schema('Block')) }),
    Quota: { ...quota, description: '0 is no bound. Ops are counted over an hour, records and bytes in all.' },
    OwnerQuota: object({ did: DID, quota: schema('Quota'), used: schema('Quota') }),
    Quotas: object({ default: schema('Quota'), items: list(object({ did: DID, quota: schema('Quota') })) }),
  }
}

function webhookSchemas(names: readonly string[]): Record<string, unknown> {
  const wish = {
    url: { ...TEXT, description: 'http or https, at a public address.' },
    kinds: { ...list({ type: 'string', enum: names }), description: 'Left out, all.' },
    description: TEXT,
  }
  const failure = { status: { type: 'integer', description: 'What the receiver answered last.' }, error: TEXT }
  const hook = {
    id: TEXT,
    url: TEXT,
    owner: { ...TEXT, description: 'Name of the token it was made with.' },
    kinds: wish.kinds,
    description: TEXT,
    active: { type: 'boolean' },
    created: { ...COUNT, description: 'ms since 1970.' },
    cursor: { ...COUNT, description: 'The seq up to which everything was taken or given up.' },
    failing: object({ attempts: COUNT, ...failure }, ['attempts']),
    dead_letters: COUNT,
    dead_letters_dropped: COUNT,
  }
  const required = ['id', 'url', 'owner', 'active', 'created', 'cursor', 'dead_letters', 'dead_letters_dropped']
  const secret = { ...TEXT, description: 'For checking webhook-signature (Standard Webhooks). Shown here only.' }
  const letter = object({ letter: COUNT, from: COUNT, to: COUNT, at: COUNT, attempts: COUNT, ...failure }, [
    'letter',
    'from',
    'to',
    'at',
    'attempts',
  ])
  return {
    WebhookWish: object({ ...wish, since: COUNT }, ['url']),
    WebhookChange: object({ ...wish, active: { type: 'boolean' } }, []),
    Webhook: object(hook, required),
    NewWebhook: object({ ...hook, secret }, [...required, 'secret']),
    WebhookList: object({ items: list(schema('Webhook')) }),
    DeadLetters: object({ items: list(letter), next_cursor: TEXT }, ['items']),
    Redelivered: object({ taken: { type: 'boolean' }, ...failure }, ['taken']),
    Delivery: object({ webhook: TEXT, delivery: TEXT, epoch: TEXT, changes: list(schema('Change')) }),
  }
}
