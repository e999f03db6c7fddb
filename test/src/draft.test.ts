/** Client and node derive the same op from the same two documents: neither has rules of its own. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  draftOp,
  encodeBody,
  encodeVerbs,
  type JsonObject,
  keyToDid,
  kinds,
  type Merged,
  merge,
  networkId,
  type Op,
  ownerOfKey,
  recordId,
} from '../../crdt/index.ts'
import * as node from '../../node/catalogue-write.ts'
import type { Intent } from '../../node/replica-types.ts'
import * as client from '../../src/draft.ts'
import { seeded } from '../support/seed.ts'

const key = '11'.repeat(32)
const net = networkId('test')
const kind = kinds['agent'] as NonNullable<(typeof kinds)[string]>
const id = recordId({ net, owner: ownerOfKey(key), kind: kind.name, slug: 's' })
const target = { kind, id, slug: 's', ownerDid: keyToDid(key) }
const identity = { ...target, owner: ownerOfKey(key) }

const text = fc.constantFrom('', 'a', 'hello world', 'hello wide world', '线')
const fields = fc.record(
  {
    name: fc.constantFrom('s', 'N'),
    description: text,
    version: text,
    tags: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }),
    resource_requirements: fc.dictionary(fc.constantFrom('min_vcpus', 'own'), fc.constantFrom(1, 2, null), {
      maxKeys: 2,
    }),
    unknown: fc.constantFrom<unknown>(1, null, { deep: [1, { a: 2 }] }, [], {}),
    downloads: fc.constantFrom<unknown>(1, 'many', 'lots'),
  },
  { requiredKeys: [] },
)

/** What somebody sends: now and then with names that the register keeps for itself. */
const sent = fc
  .tuple(fields, fc.constantFrom({}, {}, {}, { heads: ['x'] }, { slug: 's' }, { slug: 'other' }))
  .map(([doc, reserved]) => ({ ...doc, ...reserved }))

/** The bytes that would be signed, or why not. */
function said(decision: client.Decision): unknown {
  if (decision.do === 'refuse') return { refused: decision.errors.map(({ pointer }) => pointer) }
  return decision.do === 'nothing'
    ? 'nothing'
    : { [decision.content.type]: Buffer.from(decision.content.body).toString('hex') }
}

function intended(intent: Intent): unknown {
  if (intent.do === 'nothing') return 'nothing'
  if (intent.do === 'refuse') {
    const { errors } = intent.problem as { errors?: { pointer: string }[] }
    return { refused: (errors ?? [{ pointer: '' }]).map(({ pointer }) => pointer) }
  }
  const body =
    intent.do === 'patch'
      ? encodeVerbs(intent.verbs)
      : intent.do === 'delete'
        ? new Uint8Array()
        : encodeBody(intent.body)
  return { [intent.do]: Buffer.from(body).toString('hex') }
}

/** A record as some writes have made it; with `fork`, the last of them saw only the first. */
function recordOf(docs: readonly JsonObject[], fork: boolean): Merged | undefined {
  const ops: Op[] = []
  let first: Merged | undefined
  let before: Merged | undefined
  for (const [w, doc] of docs.entries()) {
    if (fork && w === docs.length - 1 && first !== undefined) before = first
    const decision = client.decideReplace(target, doc, before, { lenient: true })
    if (decision.do !== 'write') continue
    const { type, body } = decision.content
    const base = { w, body }
    const draft =
      type === 'genesis'
        ? ({ type, owner: ownerOfKey(key), kind: kind.name, slug: 's', ...base } as const)
        : ({ type, record: id, parents: (before as Merged).heads, ...base } as const)
    ops.push(draftOp(draft, { net, key }))
    before = merge(ops)
    first ??= before
  }
  return ops.length === 0 ? undefined : merge(ops)
}

const pairs = [
  ['register', client.decideRegister, node.decideRegister],
  ['replace', client.decideReplace, node.decideReplace],
  ['overlay', client.decideOverlay, node.decideOverlay],
  ['merge patch', client.decidePatch, node.decideMergePatch],
] as const

test.each(pairs)('a %s becomes the same op on either side', async (_name, here, there) => {
  await seeded((seed) =>
    fc.assert(
      fc.property(
        fc.array(fields, { maxLength: 4 }),
        sent,
        fc.boolean(),
        fc.boolean(),
        (history, json, lenient, fork) => {
          const before = recordOf(history as unknown as JsonObject[], fork)
          const doc = json as unknown as JsonObject
          expect(said(here(target, doc, before, { lenient }))).toEqual(
            intended(there(identity, doc, before, { lenient })),
          )
        },
      ),
      { ...seed, numRuns: 300 },
    ),
  )
})
