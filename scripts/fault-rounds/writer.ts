/** A client that writes to a real node and remembers what was acknowledged, to ask for it later. */
import { type Item, madeItems } from '../../test/support/catalogue-items.ts'
import type { Running } from '../../test/support/start-node.ts'

export type Answer = { readonly status: number; readonly type: string | null; readonly body: string }

export class Writer {
  /** What the node has said it has taken, by slug. */
  readonly acknowledged = new Map<string, Item>()
  #next = 0

  /** Posts so many new records; answers the response as it came. */
  async batch(node: Running, count: number): Promise<Answer> {
    const items = madeItems(this.#next + count).slice(this.#next)
    this.#next += count
    const answer = await post(node, items)
    if (answer.status !== 200) return answer
    for (const [i, line] of lines(answer).entries()) {
      if (line.outcome !== 'refused') this.acknowledged.set(items[i]!.slug, items[i]!)
    }
    return answer
  }

  /** How many acknowledged records the node does not have as they were sent. */
  async missing(node: Running): Promise<number> {
    const items = [...this.acknowledged.values()]
    let missing = 0
    for (let first = 0; first < items.length; first += 1_000) {
      const answer = await post(node, items.slice(first, first + 1_000))
      if (answer.status !== 200) throw new Error(`asked for what was acknowledged: ${answer.status} ${answer.body}`)
      missing += lines(answer).filter(({ outcome }) => outcome !== 'unchanged').length
    }
    return missing
  }
}

export async function request(node: Running, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await fetch(node.http + path, {
    method,
    headers: { authorization: `Bearer ${node.token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() }
}

/** GET, as the value in the body. */
export async function read<T>(node: Running, path: string): Promise<T> {
  const { status, body } = await request(node, 'GET', path)
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${body}`)
  return JSON.parse(body) as T
}

async function post(node: Running, items: readonly Item[]): Promise<Answer> {
  const answer = await fetch(`${node.http}/v1/batch?lenient=true`, {
    method: 'POST',
    headers: { authorization: `Bearer ${node.token}`, 'content-type': 'application/x-ndjson' },
    body: items.map((item) => JSON.stringify(item)).join('\n'),
  })
  return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() }
}

function lines({ body }: Answer): { outcome: string }[] {
  return body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { outcome: string })
}
