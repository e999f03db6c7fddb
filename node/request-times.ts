/**
 * How many HTTP requests were answered and how long each took, by method, route and status. Every request passes here,
 * so counting one is a look-up and three additions; what Prometheus wants is made of them when it asks.
 */
import type { RequestFacts } from './face.ts'

/** Upper bounds in seconds. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5] as const

type Series = {
  readonly method: string
  readonly route: string
  readonly status: number
  /** How many took no longer than each bound but longer than the one before; the last are the rest. */
  readonly counts: number[]
  seconds: number
}

export class RequestTimes {
  /** By route, then by method and status: routes, methods and statuses are closed sets. */
  readonly #byRoute = new Map<string, Map<string, Series>>()

  count({ method, route, status, seconds }: RequestFacts): void {
    let ofRoute = this.#byRoute.get(route)
    if (ofRoute === undefined) {
      ofRoute = new Map()
      this.#byRoute.set(route, ofRoute)
    }
    const key = `${method}${status}`
    let series = ofRoute.get(key)
    if (series === undefined) {
      series = { method, route, status, counts: new Array(BOUNDS.length + 1).fill(0), seconds: 0 }
      ofRoute.set(key, series)
    }
    let bucket = 0
    while (bucket < BOUNDS.length && seconds > (BOUNDS[bucket] as number)) bucket++
    series.counts[bucket] = (series.counts[bucket] as number) + 1
    series.seconds += seconds
  }

  /** Text exposition: a counter by status, a histogram over all of them. */
  text(): string {
    const all = [...this.#byRoute.values()].flatMap((series) => [...series.values()])
    const requests = all.map(({ method, route, status, counts }) => {
      const labels = `method="${method}",route="${escaped(route)}",status="${status}"`
      return `peerage_http_requests_total{${labels}} ${sum(counts)}`
    })
    return [
      '# HELP peerage_http_requests_total HTTP requests answered.',
      '# TYPE peerage_http_requests_total counter',
      ...requests,
      '# HELP peerage_http_request_seconds Time to answer an HTTP request.',
      '# TYPE peerage_http_request_seconds histogram',
      ...merged(all).flatMap(histogram),
      '',
    ].join('\n')
  }
}

/** One series a method and route. */
function merged(all: readonly Series[]): readonly Series[] {
  const byName = new Map<string, Series>()
  for (const each of all) {
    const name = `${each.method} ${each.route}`
    const before = byName.get(name)
    const counts = before === undefined ? each.counts : each.counts.map((count, at) => count + (before.counts[at] ?? 0))
    byName.set(name, { ...each, counts, seconds: each.seconds + (before?.seconds ?? 0) })
  }
  return [...byName.values()]
}

function histogram({ method, route, counts, seconds }: Series): string[] {
  const labels = `method="${method}",route="${escaped(route)}"`
  let below = 0
  const buckets = BOUNDS.map((bound, at) => {
    below += counts[at] as number
    return `peerage_http_request_seconds_bucket{le="${bound}",${labels}} ${below}`
  })
  return [
    ...buckets,
    `peerage_http_request_seconds_bucket{le="+Inf",${labels}} ${sum(counts)}`,
    `peerage_http_request_seconds_sum{${labels}} ${seconds}`,
    `peerage_http_request_seconds_count{${labels}} ${sum(counts)}`,
  ]
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}

function escaped(label: string): string {
  return label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
