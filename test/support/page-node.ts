/**
 * A node with one record of everything that pages show: a conflict, a long history, Markdown that tries to be more, an
 * invalid field, a deleted record, a second publisher under the same name, and names that are not what they look like.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  bodyOf,
  encodeBody,
  encodeVerbs,
  keyToDid,
  kindOf,
  ownerOfKey,
  type RecordId,
  type Verb,
} from '../../crdt/index.ts'
import { SegmentIndex } from '../../node/index.ts'
import { framesBy, type HttpNode, jsonOf, signerOf, startHttpNode } from './http-node.ts'

export type PageNode = Omit<HttpNode, 'server'> & {
  /** A record with two heads, and conflicts in a short field and in a text. */
  readonly disputed: RecordId
  readonly deleted: RecordId
  readonly odd: RecordId
  readonly server: RecordId
  readonly callable: RecordId
  /** The second publisher, who calls itself as the first does. */
  readonly other: string
}

const README = `# Installing

Run it with **care**. <script>document.title='owned'</script><img src=x onerror="alert(1)">

| what | how |
| --- | --- |
| one | \`two\` |

[good](https://example.org/docs) [bad](javascript:alert(1)) <a href="https://example.org" onclick="alert(1)" hx-get="/node">odd</a>

![a picture](https://example.org/picture.png)
`

export async function startPageNode(): Promise<PageNode> {
  const folder = await mkdtemp(join(tmpdir(), 'peerage-pages-'))
  const index = await SegmentIndex.open(join(folder, 'search'))
  const http = await startHttpNode({ index })
  const register = async (kind: string, doc: unknown): Promise<RecordId> => {
    const answer = await http.call('POST', `/v1/${kind}`, doc)
    if (answer.status !== 201) throw new Error(`expected 201, got ${answer.status}: ${await answer.text()}`)
    return (await jsonOf(answer))['id']
  }
  for (let n = 0; n < 70; n++) {
    await register('models', {
      name: `small-model-${n}`,
      provider: n % 2 === 0 ? 'acme' : 'zenith',
      model_type: n % 3 === 0 ? 'LLM' : 'Embedding',
      license: n % 5 === 0 ? 'MIT' : 'Apache-2.0',
      tags: ['tiny', `group-${n % 4}`],
      parameters: 1_000_000 * (n + 1),
      description: `A small model, number ${n}, that is good for ${n % 2 === 0 ? 'translation' : 'retrieval'}.`,
    })
  }
  await register('tools', { name: 'hammer', provider: 'acme', description: 'Drives nails.', category: 'building' })
  const server = await register('tools', {
    name: 'nails',
    provider: 'acme',
    description: 'Has nails.',
    protocol: 'mcp',
  })
  const callable = await register('agents', {
    name: 'carpenter',
    description: 'Builds chairs.',
    endpoints: [{ type: 'a2a', url: 'https://carpenter.example/a2a' }],
  })
  const disputed = await register('models', {
    name: 'disputed',
    provider: 'acme',
    description: 'It reads text and answers questions about it in one language.',
    license: 'MIT',
    tags: ['first'],
    readme: README,
    provenance: [{ source: 'somewhere', path: 'models/disputed.json', other: { license: 'BSD-3-Clause' } }],
  })
  await http.call('PATCH', `/v1/models/${disputed}`, { tags: ['first', 'second'], version: '1.1.0' }, MERGE_PATCH)
  await dispute(http, disputed)
  const deleted = await register('agents', { name: 'gone', description: 'It was here.' })
  await http.call('DELETE', `/v1/agents/${deleted}`)
  const odd = await register('models', {
    name: 'p\u0430ypal-\u202emodel',
    description: 'The second letter is Cyrillic.',
  })
  const wrong = {
    kind: 'model',
    slug: 'wrong',
    doc: { name: 'wrong', context_length: 'very long', 'my-own-field': { a: [1, 2] } },
  }
  await http.call('POST', '/v1/batch?lenient=true', `${JSON.stringify(wrong)}\n`, {
    'content-type': 'application/x-ndjson',
  })
  const close = async () => {
    await http[Symbol.asyncDispose]()
    await index[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  }
  return {
    ...http,
    [Symbol.asyncDispose]: close,
    disputed,
    deleted,
    odd,
    server,
    callable,
    other: await secondPublisher(http),
  }
}

const MERGE_PATCH = { 'content-type': 'application/merge-patch+json' }

/** Two patches of the owner that do not know of each other. */
async function dispute(http: HttpNode, record: RecordId): Promise<void> {
  const now = await http.replica.record(record)
  const sides: readonly Verb[][] = [
    [
      ['set', ['license'], 'Apache-2.0'],
      ['text', ['description'], 'It reads text and answers questions about it in twelve languages.'],
    ],
    [
      ['set', ['license'], 'BSD-3-Clause'],
      ['text', ['description'], 'It reads text and answers short questions about it in one language.'],
    ],
  ]
  for (const [at, verbs] of sides.entries()) {
    const w = 1_750_000_000_000 + at * 1_000
    const frames = framesBy(http.signer, [
      { type: 'patch', record, parents: now?.heads ?? [], w, body: encodeVerbs(verbs) },
    ])
    await http.replica.admit(frames, { via: 'http' }, { sync: true })
  }
}

async function secondPublisher(http: HttpNode): Promise<string> {
  const signer = signerOf(99)
  const doc = { name: 'disputed', provider: 'acme', description: 'Made by somebody else, under the same name.' }
  const body = encodeBody(bodyOf(kindOf('model'), 'disputed', doc))
  const owner = ownerOfKey(signer.key)
  const draft = { type: 'genesis', owner, kind: 'model', slug: 'disputed', w: 1_750_000_000_000, body } as const
  await http.replica.admit(framesBy(signer, [draft]), { via: 'http' }, { sync: true })
  return keyToDid(signer.key)
}
