import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeBody, encodeVerbs, keyToDid, ownerOfKey } from '../../crdt/index.ts'
import { framesBy, type HttpNode, jsonOf, signerOf, startHttpNode } from '../support/http-node.ts'

let http: HttpNode
beforeAll(async () => {
  http = await startHttpNode()
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
})

const model = (name: string, more: object = {}) => ({ name, model_type: 'LLM', context_length: 8192, ...more })
const register = async (body: object, headers?: Record<string, string>) =>
  http.call('POST', '/v1/models', body, headers)
const ops = () => http.replica.counts().ops

describe('registering', () => {
  test('answers 201 with the record, its entity tag and where it is', async () => {
    const answer = await register(model('first', { tags: ['a', 'b'], min_vram_gb: 1.5, 'x-unknown': { deep: [1] } }))
    expect(answer.status).toBe(201)
    const record = await jsonOf(answer)
    expect(record).toMatchObject({
      kind: 'model',
      slug: 'first',
      name: 'first',
      owner_id: http.node.did,
      context_length: 8192,
      'x-unknown': { deep: [1] },
    })
    expect(record['model_id']).toBe(record['id'])
    expect(record['heads']).toHaveLength(1)
    expect(answer.headers.get('location')).toBe(`/v1/models/${record['id']}`)
    const read = await fetch(http.url + answer.headers.get('location'))
    expect(read.status).toBe(200)
    expect(read.headers.get('etag')).toBe(answer.headers.get('etag'))
    expect(await read.json()).toEqual(record)
  })

  test('is exactly one op', async () => {
    const before = ops()
    expect((await register(model('one-op'))).status).toBe(201)
    expect(ops()).toBe(before + 1)
  })

  test('takes the slug as identity, the name beside it', async () => {
    const record = await jsonOf(await register({ slug: 'meta/llama', name: 'Llama' }))
    expect(record).toMatchObject({ slug: 'meta/llama', name: 'Llama' })
    expect(await jsonOf(await register({ slug: 'nameless' }))).toMatchObject({ slug: 'nameless', name: 'nameless' })
  })

  test('refuses a live slug with 409 and leaves it as it is', async () => {
    await register(model('twice', { context_length: 1 }))
    const answer = await register(model('twice', { context_length: 2 }))
    expect(answer.status).toBe(409)
    const problem = await jsonOf(answer)
    expect(problem['code']).toBe('exists')
    expect((await jsonOf(await http.call('GET', `/v1/models/${problem['id']}`)))['context_length']).toBe(1)
  })

  test('answers 412 instead when If-None-Match: * asks for it', async () => {
    await register(model('only-new'))
    expect((await register(model('only-new'), { 'if-none-match': '*' })).status).toBe(412)
    expect((await register(model('only-new-2'), { 'if-none-match': '*' })).status).toBe(201)
  })

  test.each([
    ['no name', { description: 'x' }, '/name'],
    ['a blank name', { name: ' \u2003' }, '/name'],
    ['a name that is no text', { name: 5 }, '/name'],
    ['a slug that is no text', { name: 'x', slug: null }, '/slug'],
    ['a slug that is too long', { name: 'x', slug: 'é'.repeat(129) }, '/slug'],
    ['a known field of the wrong type', { name: 'wrong', context_length: '8k' }, '/context_length'],
    [
      'a nested one',
      { name: 'wrong', resource_requirements: { min_vcpus: 'two' } },
      '/resource_requirements/min_vcpus',
    ],
    ['an id of its own', { name: 'wrong', id: '0'.repeat(64) }, '/id'],
    ['an owner of its own', { name: 'wrong', owner_id: keyToDid(signerOf(9).key) }, '/owner_id'],
    ['another kind', { name: 'wrong', kind: 'agent' }, '/kind'],
    ['heads', { name: 'wrong', heads: [] }, '/heads'],
    ['half a surrogate pair', '{"name":"wrong","description":"\\ud800"}', '/description'],
    ['an integer whose digits are lost', '{"name":"wrong","x":9007199254740993}', '/x'],
    ['a number beyond all range', '{"name":"wrong","x":[1e400]}', '/x/0'],
  ])('refuses %s with 422 and its pointer', async (_what, body, pointer) => {
    const before = ops()
    const answer = await http.call('POST', '/v1/models', body)
    expect(answer.status).toBe(422)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    const problem = await jsonOf(answer)
    expect(problem).toMatchObject({ code: 'invalid', status: 422, type: '/problems/invalid' })
    expect(problem['errors'].map((error: { pointer: string }) => error.pointer)).toContain(pointer)
    expect(problem['request_id']).toBe(answer.headers.get('x-request-id'))
    expect(ops()).toBe(before)
  })

  test('keeps fields whose names mean something to JavaScript as plain data', async () => {
    const text = '{"name":"proto","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":"x"}'
    const record = await http.call('POST', '/v1/models', text)
    expect(record.status).toBe(201)
    const back = await record.text()
    expect(back).toContain('"__proto__":{"polluted":1}')
    expect(back).toContain('"toString":"x"')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

describe('places', () => {
  test.each([
    'plain',
    'with/slash',
    'a b ',
    ' leading',
    '🤗 emoji',
    'عربي',
    'per%cent',
    'q?a#b&c',
    'history',
    'heads',
    'search',
    'plus+',
    'a\\b',
    'did:x',
    '\u001e',
  ])('finds %j by owner and slug, byte for byte', async (slug) => {
    const record = await jsonOf(await register({ slug }))
    expect(record['slug']).toBe(slug)
    for (const base of ['/v1/models', '/models']) {
      const path = `${base}/${encodeURIComponent(http.node.did as string)}/${encodeURIComponent(slug)}`
      expect(await jsonOf(await http.call('GET', path))).toEqual(record)
      const history = await jsonOf(await http.call('GET', `${path}/history`))
      expect(history['items']).toHaveLength(1)
      expect(await jsonOf(await http.call('GET', `${path}/heads`))).toEqual({ heads: record['heads'], conflicts: {} })
    }
  })

  test('answers the paths without prefix the same', async () => {
    const record = await jsonOf(await http.call('POST', '/agents', { name: 'seed-agent' }))
    expect(record['agent_id']).toBe(record['id'])
    expect(await jsonOf(await http.call('GET', `/agents/${record['id']}`))).toEqual(record)
    expect((await http.call('DELETE', `/agents/${record['id']}`)).status).toBe(204)
  })

  test('does not find a record under another kind, or under what is no id', async () => {
    const { id } = await jsonOf(await register(model('of-a-kind')))
    for (const path of [
      `/v1/agents/${id}`,
      `/v1/models/${id.slice(1)}`,
      `/v1/models/${id.toUpperCase()}`,
      '/v1/models/name',
      '/v1/models/did:key:z6Mkx/slug',
    ]) {
      const answer = await http.call('GET', path)
      expect(answer.status, path).toBe(404)
      expect((await jsonOf(answer))['code']).toBe('not-found')
    }
    expect((await http.call('DELETE', `/v1/agents/${id}`)).status).toBe(404)
    expect((await http.call('GET', `/v1/models/${http.node.did}/%ff`)).status).toBe(400)
  })
})

describe('changing', () => {
  test('PUT of what GET returned changes nothing', async () => {
    const text =
      '{"slug":"same","tags":["b","a"],"description":"text","cost":{"input":3e-8},"frameworks":["JAX"],"z":{},"l":[]}'
    const { id } = await jsonOf(await http.call('POST', '/v1/models', text))
    const read = await http.call('GET', `/v1/models/${id}`)
    const before = ops()
    const answer = await http.call('PUT', `/v1/models/${id}`, await read.text())
    expect(answer.status).toBe(200)
    expect(answer.headers.get('etag')).toBe(read.headers.get('etag'))
    expect(ops()).toBe(before)
  })

  test('PUT replaces, keeps what is equal and drops what is not named', async () => {
    const { id } = await jsonOf(await register(model('replace', { description: 'old', license: 'MIT' })))
    const answer = await http.call('PUT', `/v1/models/${id}`, { name: 'replace', description: 'new' })
    expect(answer.status).toBe(200)
    const record = await jsonOf(answer)
    expect(record['description']).toBe('new')
    expect(record).not.toHaveProperty('license')
    const history = await jsonOf(await http.call('GET', `/v1/models/${id}/history`))
    expect(history['items'].map((item: { type: string }) => item.type)).toEqual(['patch', 'genesis'])
  })

  test('PUT by owner and slug creates what is not there', async () => {
    const path = `/v1/models/${http.node.did}/${encodeURIComponent('put/new')}`
    const answer = await http.call('PUT', path, { context_length: 5 })
    expect(answer.status).toBe(201)
    expect(await jsonOf(answer)).toMatchObject({ slug: 'put/new', context_length: 5 })
    expect((await http.call('PUT', path, { context_length: 5 }, { 'if-none-match': '*' })).status).toBe(412)
    expect((await http.call('PUT', `/v1/models/${'0'.repeat(64)}`, { name: 'x' })).status).toBe(404)
  })

  test('PATCH is a JSON merge patch, and none at all when it changes nothing', async () => {
    const { id } = await jsonOf(
      await register(model('patch', { license: 'MIT', resource_requirements: { min_vcpus: 2 } })),
    )
    const patch = { license: null, resource_requirements: { min_memory_mb: 512 }, context_length: 8192 }
    const answer = await http.call('PATCH', `/v1/models/${id}`, patch, {
      'content-type': 'application/merge-patch+json',
    })
    expect(answer.status).toBe(200)
    const record = await jsonOf(answer)
    expect(record).not.toHaveProperty('license')
    expect(record['resource_requirements']).toEqual({ min_vcpus: 2, min_memory_mb: 512 })
    const before = ops()
    const again = await http.call('PATCH', `/v1/models/${id}`, patch)
    expect(again.status).toBe(200)
    expect(again.headers.get('etag')).toBe(answer.headers.get('etag'))
    expect(ops()).toBe(before)
  })

  test('PATCH refuses what it would make wrong, and only that', async () => {
    const lines = JSON.stringify({ kind: 'model', slug: 'lenient', doc: { context_length: 'many' } })
    const headers = { 'content-type': 'application/x-ndjson' }
    const line = JSON.parse(await (await http.call('POST', '/v1/batch?lenient=true', lines, headers)).text())
    const path = `/v1/models/${line.id}`
    expect((await jsonOf(await http.call('GET', path)))['invalid_fields']).toHaveLength(1)
    expect((await http.call('PATCH', path, { description: 'fine' })).status).toBe(200)
    expect((await http.call('PATCH', path, { context_length: 'still' })).status).toBe(422)
    expect((await http.call('PATCH', path, { parameters: 'x' })).status).toBe(422)
    expect((await http.call('PATCH', path, { context_length: 5 })).status).toBe(200)
    expect(await jsonOf(await http.call('GET', path))).not.toHaveProperty('invalid_fields')
  })

  test('refuses to change reserved fields, and takes them as they are', async () => {
    const record = await jsonOf(await register(model('reserved')))
    const path = `/v1/models/${record['id']}`
    for (const [key, value] of Object.entries({
      id: 'x',
      model_id: 'x',
      owner_id: 'x',
      slug: 'x',
      heads: ['x'],
      registered_at: 5,
      conflicts: {},
    })) {
      const answer = await http.call('PATCH', path, { [key]: value })
      expect(answer.status, key).toBe(422)
      expect((await jsonOf(answer))['errors'][0].pointer).toBe(`/${key}`)
    }
    expect((await http.call('PATCH', path, { id: record['id'], slug: 'reserved', license: 'MIT' })).status).toBe(200)
  })

  test('of two writers with one entity tag, one goes through', async () => {
    const answer = await register(model('race'))
    const etag = answer.headers.get('etag') as string
    const { id } = await jsonOf(answer)
    const writers = Array.from({ length: 8 }, (_, n) =>
      http.call('PATCH', `/v1/models/${id}`, { context_length: n }, { 'if-match': etag }),
    )
    const statuses = (await Promise.all(writers)).map((each) => each.status)
    expect(statuses.toSorted()).toEqual([200, 412, 412, 412, 412, 412, 412, 412])
    expect((await jsonOf(await http.call('GET', `/v1/models/${id}/history`)))['items']).toHaveLength(2)
  })

  test('If-Match takes a list and *, and never a weak tag', async () => {
    const answer = await register(model('if-match'))
    const etag = answer.headers.get('etag') as string
    const path = `/v1/models/${(await jsonOf(answer))['id']}`
    expect((await http.call('PATCH', path, { description: 'a' }, { 'if-match': `W/${etag}` })).status).toBe(412)
    expect((await http.call('PATCH', path, { description: 'a' }, { 'if-match': '"other"' })).status).toBe(412)
    expect((await http.call('PATCH', path, { description: 'a' }, { 'if-match': `"other", ${etag}` })).status).toBe(200)
    expect((await http.call('PATCH', path, { description: 'b' }, { 'if-match': '*' })).status).toBe(200)
    expect((await http.call('DELETE', path, undefined, { 'if-match': etag })).status).toBe(412)
  })

  test('If-None-Match on a read answers 304 until the record changes', async () => {
    const answer = await register(model('cached'))
    const etag = answer.headers.get('etag') as string
    const path = `/v1/models/${(await jsonOf(answer))['id']}`
    for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const read = await http.call('GET', path, undefined, { 'if-none-match': tag })
      expect(read.status).toBe(304)
      expect(read.headers.get('etag')).toBe(etag)
    }
    await http.call('PATCH', path, { description: 'new' })
    expect((await http.call('GET', path, undefined, { 'if-none-match': etag })).status).toBe(200)
  })

  test('refuses a document that no op can carry with 413', async () => {
    const texts = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`t${n}`, 'x'.repeat(10_000)]))
    const answer = await register(model('huge', texts))
    expect(answer.status).toBe(413)
    expect((await jsonOf(answer))['code']).toBe('too-large')
  })
})

describe('deleting', () => {
  test('leaves history and heads, and registering restores from nothing', async () => {
    const first = await jsonOf(await register(model('deleted', { license: 'MIT' })))
    const path = `/v1/models/${first['id']}`
    expect((await http.call('DELETE', path)).status).toBe(204)
    for (const [method, body] of [['GET'], ['PATCH', {}], ['DELETE']] as const) {
      const answer = await http.call(method, path, body)
      expect(answer.status).toBe(404)
      expect(await jsonOf(answer)).toMatchObject({ code: 'not-found', deleted: true })
    }
    const { items } = await jsonOf(await http.call('GET', `${path}/history`))
    expect(items.map((item: { type: string }) => item.type)).toEqual(['delete', 'genesis'])
    expect(items[0].parents).toEqual([items[1].op])
    expect((await jsonOf(await http.call('GET', `${path}/heads`)))['heads']).toEqual([items[0].op])

    const restored = await register({ name: 'deleted' })
    expect(restored.status).toBe(201)
    const record = await jsonOf(restored)
    expect(record['id']).toBe(first['id'])
    expect(record).not.toHaveProperty('license')
    const after = await jsonOf(await http.call('GET', `${path}/history`))
    expect(after['items'].map((item: { type: string }) => item.type)).toEqual(['put', 'delete', 'genesis'])
  })
})

describe('what others wrote', () => {
  test('can be read and not written: 403 not-owner, and no op', async () => {
    const other = signerOf(7)
    const owner = ownerOfKey(other.key)
    const body = encodeBody({ slug: 'theirs', f: [[['name'], 'theirs']], s: [], t: [] })
    const frames = framesBy(other, [{ type: 'genesis', owner, kind: 'model', slug: 'theirs', w: 5, body }])
    await http.replica.admit(frames, { via: 'http' })
    const did = keyToDid(other.key)
    const record = await jsonOf(await http.call('GET', `/v1/models/${did}/theirs`))
    expect(record).toMatchObject({ owner_id: did, registered_at: 5 })
    const before = ops()
    for (const path of [`/v1/models/${record['id']}`, `/v1/models/${did}/theirs`, `/v1/models/${did}/new`]) {
      for (const [method, sent] of [['PUT', { name: 'theirs' }], ['PATCH', { license: 'MIT' }], ['DELETE']] as const) {
        const answer = await http.call(method, path, sent)
        expect(answer.status).toBe(403)
        expect((await jsonOf(answer))['code']).toBe('not-owner')
      }
    }
    expect(ops()).toBe(before)
  })
})

describe('conflicts', () => {
  /** The path of a record whose license one machine made Apache-2.0 and another, with the same key, GPL-3.0. */
  async function conflicted(name: string): Promise<string> {
    const first = await jsonOf(await register(model(name, { license: 'MIT' })))
    const path = `/v1/models/${first['id']}`
    const head = (await http.replica.record(first['id']))?.heads ?? []
    await http.call('PATCH', path, { license: 'Apache-2.0' })
    const body = encodeVerbs([['set', ['license'], 'GPL-3.0']])
    const patch = { type: 'patch', record: first['id'], parents: head, w: Date.now() + 1000, body } as const
    await http.replica.admit(framesBy(http.signer, [patch]), { via: 'sync' })
    return path
  }

  test('are shown with all values; sending back what was read leaves them, replacing settles them', async () => {
    const path = await conflicted('conflict')
    const record = await jsonOf(await http.call('GET', path))
    expect(record['heads']).toHaveLength(2)
    expect(record['license']).toBe('GPL-3.0')
    expect(record['conflicts']['/license'].map((each: { value: string }) => each.value)).toEqual([
      'GPL-3.0',
      'Apache-2.0',
    ])
    expect((await jsonOf(await http.call('GET', `${path}/heads`)))['conflicts']).toEqual(record['conflicts'])
    // What was read, sent back, changes nothing: the conflict stays.
    expect(await jsonOf(await http.call('PUT', path, record))).toEqual(record)

    // A body that changes something elsewhere says everything that the record is to say.
    const { conflicts: _seen, ...shown } = record
    const whole = await jsonOf(await http.call('PUT', path, { ...shown, description: 'new' }))
    expect(whole).toMatchObject({ license: 'GPL-3.0', description: 'new' })
    expect(whole).not.toHaveProperty('conflicts')
  })

  test('are settled by a patch that names them, even with the value shown', async () => {
    const path = await conflicted('conflict-2')
    const record = await jsonOf(await http.call('GET', path))
    // A patch elsewhere leaves them.
    expect(await jsonOf(await http.call('PATCH', path, { name: 'conflict-2' }))).toEqual(record)
    expect(await jsonOf(await http.call('PATCH', path, { description: 'x' }))).toHaveProperty('conflicts')
    const settled = await jsonOf(await http.call('PATCH', path, { license: 'GPL-3.0' }))
    expect(settled).not.toHaveProperty('conflicts')
    expect(settled['license']).toBe('GPL-3.0')
    expect(settled['heads']).toHaveLength(1)
  })
})

describe('history', () => {
  test('tells every op with author, time, patch and parents, a page at a time', async () => {
    const { id } = await jsonOf(await register(model('history-pages', { tags: ['a'] })))
    const path = `/v1/models/${id}`
    for (let n = 0; n < 5; n++) await http.call('PATCH', path, { context_length: n })
    await http.call('PATCH', path, { tags: ['a', 'b'], license: 'MIT' })
    const whole = await jsonOf(await http.call('GET', `${path}/history`))
    expect(whole['items']).toHaveLength(7)
    expect(whole['items'][0]).toMatchObject({ type: 'patch', actor: http.node.did, parents: [whole['items'][1].op] })
    expect(whole['items'][0].patch).toContainEqual(['add', '/tags', ['b']])
    expect(whole['items'][0].patch).toContainEqual(['set', '/license', 'MIT'])
    expect(whole['items'].at(-1).patch).toContainEqual(['add', '/tags', ['a']])
    const paged: unknown[] = []
    for (let next: string | undefined = `${path}/history?limit=3`; next !== undefined; ) {
      const answer = await http.call('GET', next)
      const page = await jsonOf(answer)
      paged.push(...page['items'])
      const link = answer.headers.get('link')
      expect(link === null).toBe(page['next_cursor'] === undefined)
      next = link?.match(/^<(.+)>; rel="next"$/)?.[1]
    }
    expect(paged).toEqual(whole['items'])
    expect((await http.call('GET', `${path}/history?cursor=nonsense`)).status).toBe(400)
    expect((await http.call('GET', `${path}/history?limit=0`)).status).toBe(400)
  })
})
