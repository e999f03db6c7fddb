/**
 * What a node answers over HTTP about everything it holds, so that two nodes, or one before and after damage, can be
 * compared: the ops one by one, the records, lists, changes and searches.
 */
import { networkId, parseFrame } from '../../crdt/index.ts'
import { bundleHeadBytes, bundleNet, nativeSuite, readBundle, zstdPackets } from '../../node/index.ts'

/** Name of a question to its answer as text; `problem` and its code where there was none. */
export type Answers = ReadonlyMap<string, string>

const { sha256 } = nativeSuite
const WAIT_MS = 20_000

/** Asks when the node is ready and its index is caught up, or when it is not after twenty seconds. */
export async function askAll(
  http: string,
  kind: { readonly plural: string },
  ids: readonly string[],
  reader: string,
): Promise<Answers> {
  await settled(http)
  const answers = new Map<string, string>()
  const ask = async (name: string, call: () => Promise<string>) => {
    answers.set(name, await call().catch((error: Error) => `problem ${error.message}`))
  }
  await ask('state', async () => {
    const status = JSON.parse(await text(http, '/v1/status?state_hash=1'))
    const { did, peer_id, records, ops, root, pending, state_hash } = status
    return JSON.stringify({ did, peer_id, records, ops, root, pending, state_hash })
  })
  await ask('token', () => text(http, `/v1/${kind.plural}?limit=1`, { authorization: `Bearer ${reader}` }))
  await ask('ops', () => opsOf(http))
  await ask('list', async () => {
    // Records of one moment stand in the order in which they arrived.
    const listed = (await pages(http, `/v1/${kind.plural}?limit=500`)).flatMap((page) => JSON.parse(page).items)
    return textOf(listed.sort((a, b) => (a.id < b.id ? -1 : 1)))
  })
  await ask('changes', async () => (await pages(http, '/v1/changes?limit=1000')).join(''))
  for (const [i, body] of SEARCHES.entries()) {
    await ask(`search ${i}`, async () => {
      const { items, facets, total } = JSON.parse(await (await post(http, '/v1/search', body)).text())
      const found = items.map((item: { record: { id: string } }) => item.record.id)
      return JSON.stringify({ found, facets, total })
    })
  }
  for (const id of ids) {
    for (const [name, path] of [
      ['record', ''],
      ['history', '/history'],
    ])
      await ask(`${name} ${id}`, async () => textOf(JSON.parse(await text(http, `/v1/${kind.plural}/${id}${path}`))))
  }
  return answers
}

/** Questions that are answered otherwise. `only` some of them. */
export function differing(before: Answers, after: Answers, only: RegExp = /./): string[] {
  return [...before].filter(([name, text]) => only.test(name) && after.get(name) !== text).map(([name]) => name)
}

/** Where two answers part, for people. */
export function partingOf(before: Answers, after: Answers, name: string): string {
  const [one, other] = [before.get(name) ?? '', after.get(name) ?? '']
  let at = 0
  while (at < one.length && one[at] === other[at]) at++
  const around = (text: string) => text.slice(Math.max(0, at - 120), at + 60)
  return `${name}: "${around(one)}" is now "${around(other)}"`
}

/** What does not depend on the order in which ops arrived here. */
export const CONTENT = /^(state|ops|list|search|record|history)/

const SEARCHES = [
  { query: 'item' },
  { query: 'maker-3 record' },
  { filters: { provider: 'maker-5' }, limit: 100 },
  { filters: { downloads_gte: 50_000 }, facets: ['provider', 'tags'], sort: '-downloads', limit: 50 },
]

/** The order of members is not promised: of a record just merged it is another than of one that was read. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_, part) =>
    typeof part !== 'object' || part === null || Array.isArray(part)
      ? part
      : Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))),
  )
}

async function settled(http: string): Promise<void> {
  for (const until = performance.now() + WAIT_MS; performance.now() < until; await later(50)) {
    const ready = await fetch(`${http}/readyz`).catch(() => undefined)
    if (!ready?.ok) continue
    const status = await text(http, '/v1/status').then(JSON.parse, () => undefined)
    if (status === undefined || (status.search.behind === 0 && status.search.seq === status.seq)) return
  }
}

/** The ids of all ops that the node gives away, out of their signed bytes. */
async function opsOf(http: string): Promise<string> {
  const { network } = JSON.parse(await text(http, '/v1/status'))
  const response = await post(http, '/v1/bundle', {})
  const bytes = new Uint8Array(await response.arrayBuffer())
  const net = bundleNet(bytes)
  if (net !== networkId(network)) throw new Error('a bundle of another network')
  const rest = async function* () {
    yield bytes.subarray(bundleHeadBytes)
  }
  const ids: string[] = []
  let isWhole = false
  for await (const item of readBundle(net, rest(), { codec: zstdPackets, sha256 })) {
    if (item.is === 'end') isWhole = item.isWhole
    if (item.is !== 'part') continue
    for (const frame of item.frames) {
      const read = parseFrame(frame, net, sha256)
      ids.push(...(read.ok ? read.frame.entries.map(({ op }) => op.id) : [`bad ${read.reason}`]))
    }
  }
  return JSON.stringify({ isWhole, ids: ids.sort() })
}

async function pages(http: string, first: string): Promise<string[]> {
  const all: string[] = []
  for (let path: string | undefined = first; path !== undefined; ) {
    const response: Response = await good(await fetch(http + path))
    all.push(await response.text())
    path = response.headers.get('link')?.match(/^<(.+)>; rel="next"$/)?.[1]
  }
  return all
}

async function text(http: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  return (await good(await fetch(http + path, { headers }))).text()
}

async function post(http: string, path: string, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return good(await fetch(http + path, { method: 'POST', headers, body: JSON.stringify(body) }))
}

/** A problem document becomes an error that says which it is. */
async function good(response: Response): Promise<Response> {
  if (response.ok) return response
  const problem = await response.json().catch(() => undefined)
  throw new Error(`${response.status} ${problem?.code ?? 'without a problem document'}`)
}

export function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
