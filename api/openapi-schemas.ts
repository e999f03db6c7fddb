/** The schemas of the OpenAPI document: the kinds' own, the exchange of ops and batches, the node; the rest from beside. */
import { type Kind, kinds, recordSchemaOf, schemaOf } from '../crdt/index.ts'
import { httpBatchLinesMax } from '../node/index.ts'
import { schema } from './openapi-parts.ts'
import { authoritySchemas } from './openapi-schemas-authority.ts'
import { policySchemas, webhookSchemas } from './openapi-schemas-operator.ts'
import { searchSchemas } from './openapi-schemas-search.ts'
import { CID, COUNT, DID, ID, list, OP_TYPE, object, TEXT, TIME } from './openapi-values.ts'
import { PROBLEMS } from './problem.ts'

/** By the name under which components.schemas has them. */
export function schemas(): Record<string, unknown> {
  const all: readonly Kind[] = Object.values(kinds)
  const names = all.map((kind) => kind.name)
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
    Problem: problem,
    FieldError: object({ pointer: { ...TEXT, description: 'JSON Pointer (RFC 6901).' }, message: TEXT }),
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
    Change: object({ seq: COUNT, op: CID, kind: TEXT, id: ID, type: OP_TYPE, actor: DID, w: TIME }),
    ...searchSchemas(names),
    ...authoritySchemas(),
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
