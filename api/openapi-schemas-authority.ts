/** Schemas of who may write, and of what a record is made of. */
import { RIGHTS } from '../crdt/index.ts'
import { schema } from './openapi-parts.ts'
import { CID, COUNT, DID, list, OP_TYPE, object, TEXT, TIME } from './openapi-values.ts'

export function authoritySchemas(): Record<string, unknown> {
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
  return {
    History: object(
      {
        items: list(
          object(
            {
              op: CID,
              actor: DID,
              w: TIME,
              type: OP_TYPE,
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
  }
}
