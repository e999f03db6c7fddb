import { expect, test } from 'vitest'
import { Metrics } from '../../node/metrics.ts'

const gauges = {
  records: { model: 3, tool: 2, 'a-strangers-kind': 5, another: 1 },
  ops: 11,
  seq: 12,
  pendingOps: 1,
  pendingBytes: 100,
  searchBehind: 4,
  damagedOps: 0,
  withheldOps: 0,
  peers: 2,
}

test('tells what the parts count, and gauges as they are when asked', async () => {
  const metrics = new Metrics(() => gauges, { process: false })
  metrics.admitted(
    {
      results: [
        { op: 'a', verdict: 'applied' },
        { op: 'b', verdict: 'applied' },
        { op: 'c', verdict: 'refused', reason: 'wrong-record' },
      ],
      refusedFrames: [{ at: 0, reason: 'bad-signature' }],
      missing: [],
      verified: false,
      mergedOps: 0,
      misbehaved: true,
    },
    'sync',
  )
  metrics.follow(() => [{ sync: { sessions: 2 } }, { sync: { sessions: 3 } }])
  metrics.request({ method: 'GET', route: '/v1/models/{id}', status: 200, seconds: 0.002 })
  const text = await metrics.text()
  for (const line of [
    'peerage_ops_total{verdict="applied",via="sync"} 2',
    'peerage_ops_total{verdict="refused",via="sync"} 1',
    'peerage_refused_total{reason="wrong-record",via="sync"} 1',
    'peerage_refused_total{reason="bad-signature",via="sync"} 1',
    'peerage_sync_total{what="sessions"} 5',
    'peerage_http_requests_total{method="GET",route="/v1/models/{id}",status="200"} 1',
    'peerage_records{kind="model"} 3',
    'peerage_ops 11',
    'peerage_seq 12',
    'peerage_pending_ops 1',
    'peerage_search_behind 4',
    'peerage_peers 2',
  ]) {
    expect(text).toContain(`${line}\n`)
  }
})

test('strangers cannot make series: their kinds share one, and unknown reasons another', async () => {
  const metrics = new Metrics(() => gauges, { process: false })
  const refusedFrames = Array.from({ length: 100 }, (_, n) => ({ at: n, reason: `reason-${n}` }))
  metrics.admitted(
    { results: [], refusedFrames, missing: [], verified: false, mergedOps: 0, misbehaved: true },
    'gossip',
  )
  const text = await metrics.text()
  expect(text).toContain('peerage_records{kind="other"} 6\n')
  expect(text).toContain('peerage_refused_total{reason="other",via="gossip"} 100\n')
  expect(text).not.toContain('strangers')
  expect(text).not.toContain('reason-7')
})
