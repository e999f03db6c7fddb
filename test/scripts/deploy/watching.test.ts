/** The dashboard and the alert rules ask for nothing that a running node does not tell. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { Client } from '../../../src/index.ts'
import { signerOf } from '../../support/http-node.ts'
import { startNode } from '../../support/start-node.ts'

const deploy = resolve(import.meta.dirname, '../../../scripts/deploy')
let folder: string
/** Label sets of every metric, by name. */
let told: Map<string, Record<string, string>[]>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerage-watching-'))
  // An empty catalogue has no kinds.
  await using node = await startNode({ data: folder, offline: true, more: ['--sample'] })
  // What never happened has no series: an op of somebody's that is applied, and something that is refused.
  await new Client({ url: node.http, key: signerOf(7) }).register('models', { name: 'counted' })
  const headers = { 'content-type': 'application/cbor' }
  await fetch(`${node.http}/v1/ops`, { method: 'POST', headers, body: Uint8Array.of(1, 2, 3) })
  const text = await (await fetch(`${node.http}/metrics`)).text()
  told = new Map()
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#'))) {
    const [, name = '', labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? []
    expect(name, line).not.toBe('')
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value])
    told.set(name, [...(told.get(name) ?? []), Object.fromEntries(pairs)])
  }
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** What an expression asks for that the node does not tell. */
function missing(expr: string): string[] {
  const lacks: string[] = []
  for (const [, name = '', selectors = ''] of expr.matchAll(/\b((?:peerage|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)) {
    const series = told.get(name)
    if (series === undefined) lacks.push(name)
    for (const [, label = '', values = ''] of selectors.matchAll(/(\w+)=~?"([^"]*)"/g)) {
      if (label === 'instance' || label === 'job') continue
      if (label === 'status') expect(series?.[0]).toHaveProperty('status')
      else
        for (const value of values.split('|'))
          if (!series?.some((labels) => labels[label] === value)) lacks.push(`${name}{${label}="${value}"}`)
    }
    const by = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels]) =>
      labels!.split(',').map((each) => each.trim()),
    )
    for (const label of by) {
      if (label !== 'instance' && series?.[0] !== undefined && !(label in series[0])) lacks.push(`${name} by ${label}`)
    }
  }
  return lacks
}

test('every query of the dashboard is about metrics and labels that there are', async () => {
  const dashboard = JSON.parse(await readFile(join(deploy, 'grafana-dashboard.json'), 'utf8'))
  const queries: string[] = dashboard.panels.flatMap((panel: { targets: { expr: string }[] }) =>
    panel.targets.map(({ expr }) => expr),
  )
  expect(queries.length).toBeGreaterThan(20)
  for (const expr of queries) {
    expect(expr).toMatch(/peerage_|process_|nodejs_/)
    expect(missing(expr.replaceAll('$__rate_interval', '5m')), expr).toEqual([])
  }
  expect(new Set(dashboard.panels.map(({ id }: { id: number }) => id)).size).toBe(dashboard.panels.length)
  // No two panels lie over each other.
  const cells = new Set<string>()
  for (const { gridPos } of dashboard.panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      expect(cells.has(`${x} ${gridPos.y}`)).toBe(false)
      cells.add(`${x} ${gridPos.y}`)
      expect(x).toBeLessThan(24)
    }
  }
})

test('every alert is about metrics that there are, and says what to do', async () => {
  const { groups } = parse(await readFile(join(deploy, 'alerts.yaml'), 'utf8'))
  const rules = groups.flatMap((group: { rules: unknown[] }) => group.rules)
  expect(rules.length).toBeGreaterThan(8)
  expect(new Set(rules.map(({ alert }: { alert: string }) => alert)).size).toBe(rules.length)
  for (const { alert, expr, labels, annotations, ...rest } of rules) {
    expect(missing(expr), alert).toEqual([])
    expect(expr).toMatch(/peerage/)
    expect(['critical', 'warning', 'info']).toContain(labels.severity)
    expect(annotations.summary).toContain('$labels.instance')
    expect(annotations.what_to_do).toMatch(/\w/)
    expect(Object.keys(rest).filter((key) => key !== 'for')).toEqual([])
    expect(rest.for ?? '1m').toMatch(/^\d+[mh]$/)
  }
})

test('a query about a metric that is not there is found out', () => {
  expect(missing('rate(peerage_nothing_total[5m])')).toEqual(['peerage_nothing_total'])
  expect(missing('peerage_sync_sessions_total{what="nonsense"}')).toEqual([
    'peerage_sync_sessions_total{what="nonsense"}',
  ])
})
