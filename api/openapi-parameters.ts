/** By the name under which components.parameters has them: every parameter of a route. */
import { idempotencyKeyCharsMax, pageItemsDefault, pageItemsMax } from '../node/index.ts'
import { interopParameters } from './interop/openapi.ts'
import { CID, COUNT, DID, FACETS_NOTE, FILTER_NOTE, ID, SEARCH_NAME, SORT_NOTE, TEXT } from './openapi-values.ts'
import { PROBLEMS } from './problem.ts'

export const namedParameters = {
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

function parameter(name: string, where: string, description: string, content: unknown, more: object = {}) {
  return { name, in: where, description, required: where === 'path', schema: content, ...more }
}
