/**
 * Who may write, over HTTP: grants given and revoked, an owner's authority as it stands, why an op of a record counts or
 * not, and ops erased for good.
 *
 * Everything is signed by this node's key, in its own name or under a grant; owners who hold their own keys sign for
 * themselves and send frames to /v1/ops.
 */
import type { Context } from 'hono'
import {
  cidToOpId,
  didToKey,
  didToOwner,
  isHex,
  isKind,
  keyToDid,
  type Merged,
  type OpId,
  type Owner,
  opIdToCid,
  ownerToDid,
  type Path,
  pathOf,
  pointerOf,
  RIGHTS,
} from '../crdt/index.ts'
import {
  type AuthorityRefusal,
  type Counted,
  type GrantStatus,
  type GrantWish,
  httpBodyBytesMax,
  type KeepWish,
  type NodeFace,
  type Place,
} from '../node/index.ts'
import { JSON_TYPES, readJsonBody } from './body.ts'
import { created, describe, ok, parameters, problems, requestBody, schema } from './openapi-parts.ts'
import { isProblem, type Problem, problemOf } from './problem.ts'
import { type Answer, jsonAnswer, type Route, segmentsOf } from './route.ts'

export function authorityRoutes(node: NodeFace): Route[] {
  const about = describe('authority')
  return [
    {
      method: 'POST',
      path: '/v1/grants',
      token: true,
      handle: (c) => give(node, c),
      operation: about(
        'grant',
        'Lets a key write records of this node, or of the owner who lets it give grants',
        [],
        {
          ...created(schema('Granted')),
          ...problems(
            'unauthorised',
            'not-owner',
            'read-only',
            'bad-request',
            'too-large',
            'unsupported-type',
            'invalid',
          ),
        },
        requestBody(schema('GrantWish'), JSON_TYPES),
      ),
    },
    {
      method: 'POST',
      path: '/v1/grants/{op}/revoke',
      token: true,
      handle: (c) => take(node, c),
      operation: about(
        'revoke',
        'Ends a grant and what rests on it. What was done under it stays as far as this node has seen it, unless told otherwise',
        [parameters.op],
        {
          ...ok('The revoke, and how many ops it names as kept', schema('Revoked')),
          ...problems(
            'unauthorised',
            'not-owner',
            'not-found',
            'read-only',
            'bad-request',
            'unsupported-type',
            'invalid',
          ),
        },
        requestBody(schema('RevokeWish'), JSON_TYPES),
      ),
    },
    {
      method: 'GET',
      path: '/v1/authority/{owner}/done',
      handle: (c) => doneUnder(node, c),
      operation: about(
        'get_done',
        'Lists what was done under a grant or a key, as far as this node has seen it: what a revoke or rotate signed elsewhere is to keep',
        [parameters.owner, parameters.under, parameters.sinceOp],
        { ...ok('Op ids', schema('Done')), ...problems('not-found', 'bad-query') },
      ),
    },
    {
      method: 'GET',
      path: '/v1/authority/{owner}',
      handle: (c) => ofOwner(node, c),
      operation: about(
        'get_authority',
        'Lists the authority ops of an owner, and the grants among them',
        [parameters.owner],
        {
          ...ok('As this node knows it', schema('Authority')),
          ...problems('not-found'),
        },
      ),
    },
  ]
}

/** GET .../authority of a record. */
export async function readAuthority(node: NodeFace, place: Place): Promise<Answer> {
  const record = await node.catalogue.readAny(place)
  const explained = record && (await node.authorities.explain(record.record))
  if (explained === undefined) return problemOf(await node.catalogue.absent(place))
  const { authority, grants, ops } = explained
  return jsonAnswer(
    JSON.stringify({
      owner: ownerToDid(authority.owner),
      authority: authority.record,
      grants: grants.map(grantJson),
      ops: ops.map(countedJson),
      equivocations: (explained.record.equivocations ?? []).map((pair) => pair.map(opIdToCid)),
    }),
  )
}

/** POST .../erase of a record. */
export async function eraseOps(node: NodeFace, c: Context, place: Place): Promise<Answer> {
  const read = await readJsonBody(c, BODY)
  if (isProblem(read)) return read
  const wish = objectOf(read.value, ['ops', 'reason'])
  if (isProblem(wish)) return wish
  const ops = wish['ops'] === undefined ? undefined : cidsOf(wish['ops'])
  if (ops === null) return invalid('/ops', 'expected op ids, as the history shows them')
  const { reason } = wish
  if (reason !== undefined && (typeof reason !== 'string' || Buffer.byteLength(reason) > REASON_BYTES_MAX)) {
    return invalid('/reason', `expected a text of at most ${REASON_BYTES_MAX} bytes`)
  }
  const record = await node.catalogue.readAny(place)
  if (record === undefined) return problemOf(await node.catalogue.absent(place))
  const erased = await node.authorities.erase(record.record, { ops, reason })
  if (erased.outcome === 'refused') return refused(erased)
  return jsonAnswer(
    JSON.stringify({ erases: erased.erases.map(opIdToCid), erased: erased.record.erased?.map(opIdToCid) ?? [] }),
  )
}

/** What a record's history says of an op that does not count. */
export function countsFor(op: OpId, record: Merged | undefined) {
  const voided = record?.voided?.find((one) => one.op === op)
  return {
    ...(voided && { voided_by: voided.by.map(opIdToCid) }),
    ...(record?.erased?.includes(op) && { erased: true }),
    ...(record?.incomplete?.includes(op) && { incomplete: true }),
  }
}

/** Ops of a record that do not count, and keys that forked. */
export function remarksJson({ voided, erased, incomplete, equivocations }: Merged) {
  return {
    ...(voided && { voided: voided.map(({ op, by }) => ({ op: opIdToCid(op), by: by.map(opIdToCid) })) }),
    ...(erased && { erased: erased.map(opIdToCid) }),
    ...(incomplete && { incomplete: incomplete.map(opIdToCid) }),
    ...(equivocations && { equivocations: equivocations.map((pair) => pair.map(opIdToCid)) }),
  }
}

const BODY = { bytesMax: httpBodyBytesMax, types: JSON_TYPES, trusted: true }
const REASON_BYTES_MAX = 256

async function give(node: NodeFace, c: Context): Promise<Answer> {
  const read = await readJsonBody(c, BODY)
  if (isProblem(read)) return read
  const wish = readWish(read.value)
  if (isProblem(wish)) return wish
  const granted = await node.authorities.grant(wish)
  if (granted.outcome === 'refused') return refused(granted)
  const grants = granted.grants.map(opIdToCid)
  return jsonAnswer(JSON.stringify({ grants }), 201, { location: `/v1/ops/${grants[0]}` })
}

async function take(node: NodeFace, c: Context): Promise<Answer> {
  const grant = cidToOpId(segmentsOf(c)?.[2] ?? '')
  if (grant === undefined) return { problem: 'not-found', detail: 'there is no such grant' }
  const read = await readJsonBody(c, BODY)
  if (isProblem(read)) return read
  const wish = objectOf(read.value, ['keep', 'since'])
  if (isProblem(wish)) return wish
  const keep = readKeepWish(wish)
  if (isProblem(keep)) return keep
  const op = await node.replica.op(grant)
  const owner = op && (await node.replica.ownerOfAuthority(op.header.record))
  if (owner === undefined) return { problem: 'not-found', detail: 'there is no such grant' }
  const revoked = await node.authorities.revoke(owner, grant, keep)
  if (revoked.outcome === 'refused') return refused(revoked)
  const { revoke, keeps, kept } = revoked
  return jsonAnswer(JSON.stringify({ revoke: opIdToCid(revoke), keeps: keeps.map(opIdToCid), kept }))
}

async function ofOwner(node: NodeFace, c: Context): Promise<Answer> {
  const owner = didToOwner(segmentsOf(c)?.[2] ?? '')
  if (owner === undefined) return { problem: 'not-found', detail: 'expected a DID of an owner' }
  const authority = await node.replica.authority(owner)
  return jsonAnswer(
    JSON.stringify({
      owner: ownerToDid(owner),
      authority: authority.record,
      // In an order in which each comes after what it names.
      ops: authority.ops().map(({ id }) => opIdToCid(id)),
      grants: node.authorities.grants(authority).map(grantJson),
    }),
  )
}

async function doneUnder(node: NodeFace, c: Context): Promise<Answer> {
  const owner = didToOwner(segmentsOf(c)?.[2] ?? '')
  const query = new URL(c.req.url).searchParams
  const under = cidToOpId(query.get('under') ?? '')
  const named = query.get('since')
  const since = named === null ? undefined : cidToOpId(named)
  if (under === undefined || (named !== null && since === undefined)) {
    return { problem: 'bad-query', detail: 'under is the id of a grant, rotate or identity, since of an op' }
  }
  const ops = owner === undefined ? undefined : await node.authorities.done(owner, under, since)
  if (ops === undefined) return { problem: 'not-found', detail: 'there is no such op here' }
  return jsonAnswer(JSON.stringify({ ops: ops.map(opIdToCid) }))
}

function grantJson({ op, to, by, rights, kinds, records, paths, expiry, chain, takenBy }: GrantStatus) {
  return {
    op: opIdToCid(op),
    to: keyToDid(to),
    by: keyToDid(by),
    rights,
    ...(kinds && { kinds }),
    ...(records && { records }),
    ...(paths && { fields: paths.map(pointerOf) }),
    ...(expiry !== undefined && { expires_at: expiry }),
    chain: chain.map(opIdToCid),
    holds: takenBy.length === 0,
    ...(takenBy.length > 0 && { taken_by: takenBy.map(opIdToCid) }),
  }
}

function countedJson({ op, chain, rank, voidedBy, erased, inert }: Counted) {
  return {
    op: opIdToCid(op.id),
    actor: keyToDid(op.header.actor),
    chain: chain.map(opIdToCid),
    ...(rank > 0 && { rank }),
    ...(voidedBy.length > 0 && { voided_by: voidedBy.map(opIdToCid) }),
    ...(erased && { erased }),
    ...(inert && { inert }),
  }
}

/** The wish of a request: `to` a key, `rights`, and what bounds them. */
function readWish(value: unknown): GrantWish | Problem {
  const wish = objectOf(value, ['to', 'rights', 'kinds', 'records', 'fields', 'expires_at', 'owner'])
  if (isProblem(wish)) return wish
  const { rights, kinds, records, fields, expires_at: expiry } = wish
  const to = typeof wish['to'] === 'string' ? didToKey(wish['to']) : undefined
  if (to === undefined) return invalid('/to', 'expected the did:key of who may write')
  if (!isList(rights, (right) => RIGHTS.includes(right as never))) {
    return invalid('/rights', `expected one or more of ${RIGHTS.join(', ')}`)
  }
  if (kinds !== undefined && (records !== undefined || !isList(kinds, isKind))) {
    return invalid('/kinds', 'expected kinds, and no records beside them')
  }
  if (records !== undefined && !isList(records, (id) => isHex(id, 64))) {
    return invalid('/records', 'expected record ids of 64 hex digits')
  }
  const paths = fields === undefined ? undefined : pathsOf(fields)
  if (fields !== undefined && paths === undefined) {
    return invalid('/fields', 'expected fields by name, or JSON Pointers')
  }
  if (expiry !== undefined && !(Number.isSafeInteger(expiry) && (expiry as number) >= 0)) {
    return invalid('/expires_at', 'expected ms since 1970')
  }
  const owner: Owner | undefined = wish['owner'] === undefined ? undefined : didToOwner(String(wish['owner']))
  if (wish['owner'] !== undefined && owner === undefined) return invalid('/owner', 'expected a DID')
  return {
    to,
    rights: [...new Set(rights)],
    ...(kinds !== undefined && { kinds: [...new Set(kinds as string[])] }),
    ...(records !== undefined && { records: [...new Set(records as string[])] }),
    ...(paths !== undefined && { paths }),
    ...(expiry !== undefined && { expiry: expiry as number }),
    ...(owner !== undefined && { owner }),
  }
}

function readKeepWish(wish: Readonly<Record<string, unknown>>): KeepWish | Problem {
  const { keep = 'seen', since } = wish
  if (since !== undefined) {
    const op = typeof since === 'string' ? cidToOpId(since) : undefined
    return op === undefined || 'keep' in wish
      ? invalid('/since', 'expected an op id, and no keep beside it')
      : { since: op }
  }
  return keep === 'seen' || keep === 'nothing' ? keep : invalid('/keep', 'expected seen or nothing')
}

function pathsOf(fields: unknown): Path[] | undefined {
  if (!isList(fields, () => true)) return undefined
  const paths = fields.map((field) => (field.startsWith('/') ? pathOf(field) : field === '' ? undefined : [field]))
  return paths.includes(undefined) ? undefined : (paths as Path[])
}

function cidsOf(value: unknown): OpId[] | null {
  if (!isList(value, () => true)) return null
  const ids = value.map(cidToOpId)
  return ids.includes(undefined) ? null : (ids as OpId[])
}

function isList(value: unknown, isItem: (text: string) => boolean): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string' && isItem(item))
}

function objectOf(value: unknown, keys: readonly string[]): Readonly<Record<string, unknown>> | Problem {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return invalid('', 'expected a JSON object')
  const other = Object.keys(value).find((key) => !keys.includes(key))
  if (other !== undefined) return invalid(`/${other}`, `unknown; expected ${keys.join(', ')}`)
  return value as Readonly<Record<string, unknown>>
}

function invalid(pointer: string, message: string): Problem {
  return { problem: 'invalid', detail: `${pointer || 'the body'}: ${message}`, errors: [{ pointer, message }] }
}

function refused({ code, message }: AuthorityRefusal): Problem {
  return { problem: code, detail: message }
}
