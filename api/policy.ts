/**
 * The operator's lists over HTTP: who and what is blocked, and how much of one owner or actor is taken. Only the main
 * token reads or changes them: they say whom this node distrusts, and why.
 */
import type { Context } from 'hono'
import { didToOwner, type Owner, ownerToDid } from '../crdt/index.ts'
import {
  type Block,
  blockTarget,
  httpBodyBytesMax,
  levelAt,
  MAIN_TOKEN,
  type NodeFace,
  policyReasonCharsMax,
  type Quota,
  type QuotaOverride,
  type Target,
} from '../node/index.ts'
import { JSON_TYPES, readJsonBody } from './body.ts'
import { describe, noContent, ok, parameters, problems, requestBody, schema } from './openapi-parts.ts'
import { isProblem, type Problem } from './problem.ts'
import { type Answer, jsonAnswer, type Route, segmentsOf, type Visit } from './route.ts'

export function policyRoutes(node: NodeFace): Route[] {
  const about = describe('policy')
  const route = (
    method: Route['method'],
    path: string,
    handle: (c: Context) => Promise<Answer> | Answer,
    operation: Route['operation'],
  ): Route => ({
    method,
    path,
    token: true,
    handle: (c, visit) => notOperator(visit) ?? handle(c),
    operation,
  })
  const [target, owner] = [[parameters.target], [parameters.owner]]
  const at = '/v1/policy/blocks/{target}'
  const quotaAt = '/v1/policy/quotas/{owner}'
  const bad = problems('bad-request', 'unsupported-type', 'invalid', 'busy')
  return [
    route(
      'GET',
      '/v1/policy/blocks',
      () => jsonAnswer(JSON.stringify({ items: node.replica.policy.blocks().map(blockJson) })),
      about('list_blocks', 'Lists what this node blocks. With the main token', [], ok('All of it', schema('Blocks'))),
    ),
    route(
      'GET',
      at,
      (c) => withTarget(c, (wanted) => readBlock(node, wanted)),
      about('get_block', 'Reads a block', target, { ...ok('As it is', schema('Block')), ...problems('not-found') }),
    ),
    route(
      'PUT',
      at,
      (c) => withTarget(c, (wanted) => putBlock(node, c, wanted)),
      about(
        'put_block',
        'Blocks an owner or actor, a record, or a peer: nothing of it is taken, served or shown from now on, and peers are dropped. Ops that say who may write go in all the same',
        target,
        { ...ok('As it is now', schema('Block')), ...problems('not-found'), ...bad },
        requestBody(schema('BlockWish'), JSON_TYPES),
      ),
    ),
    route(
      'DELETE',
      at,
      (c) => withTarget(c, (wanted) => removeBlock(node, wanted)),
      about('delete_block', 'Ends a block. What was refused meanwhile comes with the next sessions', target, {
        ...noContent,
        ...problems('not-found'),
      }),
    ),
    route(
      'GET',
      '/v1/policy/quotas',
      () => listQuotas(node),
      about(
        'list_quotas',
        'Lists the quota of everybody and those who have one of their own. With the main token',
        [],
        ok('All of them', schema('Quotas')),
      ),
    ),
    route(
      'GET',
      quotaAt,
      (c) => withOwner(c, (who) => readQuota(node, who)),
      about('get_quota', 'Reads the quota of an owner or actor, and what it has used', owner, {
        ...ok('As it is', schema('OwnerQuota')),
        ...problems('not-found'),
      }),
    ),
    route(
      'PUT',
      quotaAt,
      (c) => withOwner(c, (who) => putQuota(node, c, who)),
      about(
        'put_quota',
        'Gives an owner or actor a quota of its own. What is left out is as for everybody; 0 is no bound',
        owner,
        { ...ok('As it is now', schema('OwnerQuota')), ...problems('not-found'), ...bad },
        requestBody(schema('Quota'), JSON_TYPES),
      ),
    ),
    route(
      'DELETE',
      quotaAt,
      (c) => withOwner(c, (who) => removeQuota(node, who)),
      about('delete_quota', 'Gives an owner or actor the quota of everybody again', owner, {
        ...noContent,
        ...problems('not-found'),
      }),
    ),
  ]
}

function notOperator({ access }: Visit): Problem | undefined {
  if (access?.name === MAIN_TOKEN) return undefined
  return { problem: 'forbidden', detail: 'policy is read and changed with the main token only' }
}

const BODY = { bytesMax: httpBodyBytesMax, types: JSON_TYPES, trusted: true }

function withTarget(c: Context, answer: (target: Target) => Promise<Answer> | Answer): Promise<Answer> | Answer {
  const target = blockTarget(segmentsOf(c)?.[3] ?? '')
  if (target !== undefined) return answer(target)
  return { problem: 'not-found', detail: 'expected a did:key, a did:peerage, a record id or a peer id' }
}

function withOwner(c: Context, answer: (owner: Owner) => Promise<Answer> | Answer): Promise<Answer> | Answer {
  const owner = didToOwner(segmentsOf(c)?.[3] ?? '')
  if (owner !== undefined) return answer(owner)
  return { problem: 'not-found', detail: 'expected a did:key or a did:peerage' }
}

function blockJson({ is, name, at, reason }: Block) {
  return { target: name, is, at, ...(reason !== undefined && { reason }) }
}

function readBlock(node: NodeFace, { name }: Target): Answer {
  const block = node.replica.policy.block(name)
  if (block === undefined) return { problem: 'not-found', detail: 'it is not blocked' }
  return jsonAnswer(JSON.stringify(blockJson(block)))
}

async function putBlock(node: NodeFace, c: Context, target: Target): Promise<Answer> {
  const body = await readJsonBody(c, BODY)
  if (isProblem(body)) return body
  const wish = membersOf(body.value, ['reason'])
  if (isProblem(wish)) return wish
  const { reason } = wish
  if (reason !== undefined && (typeof reason !== 'string' || reason.length > policyReasonCharsMax))
    return invalid('/reason', `expected a text of at most ${policyReasonCharsMax} characters`)
  if (node.replica.policy.isOwn(target)) return invalid('', "this node's own key cannot be blocked")
  if (target.is === 'record' && (await node.replica.ownerOfAuthority(target.name)) !== undefined)
    return invalid('', 'this record says who may write; block its owner')
  await node.replica.block(target, reason)
  return readBlock(node, target)
}

async function removeBlock(node: NodeFace, target: Target): Promise<Answer> {
  if (await node.replica.unblock(target)) return new Response(null, { status: 204 })
  return { problem: 'not-found', detail: 'it is not blocked' }
}

function quotaJson({ opsPerHour, records, bytes }: QuotaOverride) {
  return {
    ...(opsPerHour !== undefined && { ops_per_hour: opsPerHour }),
    ...(records !== undefined && { records }),
    ...(bytes !== undefined && { bytes }),
  }
}

function listQuotas(node: NodeFace): Answer {
  const { policy } = node.replica
  const items = policy.quotas().map(({ did, quota }) => ({ did, quota: quotaJson(quota) }))
  return jsonAnswer(JSON.stringify({ default: quotaJson(policy.quota), items }))
}

async function readQuota(node: NodeFace, owner: Owner): Promise<Answer> {
  const quota: Quota = node.replica.policy.quotaOf(owner)
  const usage = await node.replica.usage(owner)
  const { records, bytes } = usage
  const used = { ops_per_hour: Math.ceil(levelAt(usage, quota, Date.now())), records, bytes }
  return jsonAnswer(JSON.stringify({ did: ownerToDid(owner), quota: quotaJson(quota), used }))
}

async function putQuota(node: NodeFace, c: Context, owner: Owner): Promise<Answer> {
  const body = await readJsonBody(c, BODY)
  if (isProblem(body)) return body
  const wish = membersOf(body.value, ['ops_per_hour', 'records', 'bytes'])
  if (isProblem(wish)) return wish
  for (const [name, value] of Object.entries(wish)) {
    if (!Number.isSafeInteger(value) || (value as number) < 0) return invalid(`/${name}`, 'expected a whole number')
  }
  const { ops_per_hour: opsPerHour, records, bytes } = wish as Record<string, number>
  if (Object.keys(wish).length === 0) return invalid('', 'expected ops_per_hour, records or bytes')
  await node.replica.policy.setQuota(owner, {
    ...(opsPerHour !== undefined && { opsPerHour }),
    ...(records !== undefined && { records }),
    ...(bytes !== undefined && { bytes }),
  })
  return readQuota(node, owner)
}

async function removeQuota(node: NodeFace, owner: Owner): Promise<Answer> {
  const { policy } = node.replica
  if (!policy.hasOwnQuota(owner)) return { problem: 'not-found', detail: 'it has the quota of everybody' }
  await policy.setQuota(owner, undefined)
  return new Response(null, { status: 204 })
}

/** The members of an object that has these and no others. */
function membersOf(value: unknown, names: readonly string[]): Readonly<Record<string, unknown>> | Problem {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return invalid('', 'expected an object')
  const other = Object.keys(value).find((name) => !names.includes(name))
  return other === undefined ? (value as Record<string, unknown>) : invalid(`/${other}`, 'unknown')
}

function invalid(pointer: string, message: string): Problem {
  return { problem: 'invalid', detail: message, errors: [{ pointer, message }] }
}
