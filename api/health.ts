/** How the node is: status for people, liveness and readiness for supervisors, metrics for Prometheus. */
import type { Context } from 'hono'
import type { NodeFace, Status } from '../node/index.ts'
import { describe, ok, okTyped, parameters, problems, schema } from './openapi-parts.ts'
import { type Answer, jsonAnswer, type Route, typedAnswer } from './route.ts'

export function healthRoutes(node: NodeFace): Route[] {
  const about = describe('node')
  const state = { type: 'object', properties: { status: { type: 'string' } }, required: ['status'] }
  return [
    {
      method: 'GET',
      path: '/v1/status',
      sameOrigin: true,
      handle: statusOf(node),
      operation: about('status', 'What this node is, holds and is connected to', [parameters.stateHash], {
        ...ok('Status', schema('Status')),
        ...problems('bad-query'),
      }),
    },
    {
      method: 'GET',
      path: '/livez',
      open: true,
      handle: () => jsonAnswer('{"status":"alive"}'),
      operation: about('livez', 'Whether the process answers', [], ok('It does', state)),
    },
    {
      method: 'GET',
      path: '/readyz',
      open: true,
      handle: () => readiness(node),
      operation: about('readyz', 'Whether requests should be sent here', [], {
        ...ok('They may', state),
        ...problems('unavailable'),
      }),
    },
    {
      method: 'GET',
      path: '/metrics',
      sameOrigin: true,
      handle: async () => typedAnswer(await node.metrics(), METRICS_TYPE),
      operation: about(
        'metrics',
        'Counters and gauges for Prometheus',
        [],
        okTyped('Text exposition', { [METRICS_TYPE]: { type: 'string' } }),
      ),
    },
  ]
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Asks that walk every record share one walk: anyone may ask. */
function statusOf(node: NodeFace): (c: Context) => Promise<Answer> {
  let walk: Promise<Status> | undefined
  return async (c) => {
    const wanted = new URL(c.req.url).searchParams.get('state_hash')
    if (wanted !== null && !['0', '1', 'true', 'false'].includes(wanted)) {
      return { problem: 'bad-query', detail: 'state_hash is 1 or left out' }
    }
    if (wanted !== '1' && wanted !== 'true') return jsonAnswer(JSON.stringify(await node.status()))
    walk ??= node.status({ stateHash: true }).finally(() => {
      walk = undefined
    })
    return jsonAnswer(JSON.stringify(await walk))
  }
}

function readiness(node: NodeFace): Answer {
  if (node.ready()) return jsonAnswer('{"status":"ready"}')
  return { problem: 'unavailable', detail: 'the node is starting', headers: { 'retry-after': '1' } }
}
