/** What the log means for a search, against the plainest way to know it: looking at every record after every op. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { statesAtOpsMax } from '../../node/limits.ts'
import { matchesIn } from '../../node/match-feed.ts'
import { entryMatcher, type Matcher, matcherOf } from '../../node/saved-match.ts'
import { ScanIndex } from '../../node/search-scan.ts'
import { entry, entryArbitrary, queryArbitrary } from '../support/index-entries.ts'
import { openReplica } from '../support/open-replica.ts'
import { authorityOf, relying } from '../support/owner.ts'
import { publisher } from '../support/publisher.ts'
import { randomOps } from '../support/random-ops.ts'
import { seeded } from '../support/seed.ts'

const WATCHED = [
  { where: { field: 'a', op: '=', value: 'u' } },
  { where: { not: { field: 'b', op: 'exists' } } },
  { filters: { tags: 't1' } },
  {
    where: {
      any: [
        { field: 'a.x', op: '>=', value: 1 },
        { field: 'note', op: 'contains', value: 'WORLD' },
      ],
    },
  },
  { query: 'name 3' },
] as const

function made(watched: Parameters<typeof matcherOf>[0]): Matcher {
  const matcher = matcherOf(watched)
  if ('problem' in matcher) throw new Error(matcher.problem)
  return matcher
}

test('the log tells of each op what it made of its record, in pages of any size', () =>
  seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(
        randomOps(publisher(), { maxLength: 25 }),
        fc.constantFrom(...WATCHED),
        fc.integer({ min: 1, max: 30 }),
        async (ops, watched, limit) => {
          const matcher = made(watched as Parameters<typeof matcherOf>[0])
          const { replica } = await openReplica()
          const expected: string[] = []
          const did = new Map<string, boolean>()
          for (const op of ops) {
            await replica.admit(publisher().bytes([op]), { via: 'file' })
            const { record } = op.header
            const [before, does] = [did.get(record) ?? false, matcher(await replica.record(record))]
            did.set(record, does)
            if (does) expected.push(`${before ? 'changed' : 'new'} ${op.id}`)
            else if (before) expected.push(`gone ${op.id}`)
          }
          const found: string[] = []
          for (let since = 0, more = true; more; ) {
            const page = await matchesIn(replica, matcher, since, limit)
            found.push(...page.matches.map(({ match, change }) => `${match} ${change.op}`))
            more = page.more
            since = page.last
          }
          expect(found).toEqual(expected)
          await replica[Symbol.asyncDispose]()
        },
      ),
      { ...parameters, numRuns: 60 },
    ),
  ))

test('what a revoke takes from a record is told at the revoke', async () => {
  const [owner, ci] = [publisher(1), publisher(2)]
  const authority = authorityOf(owner)
  const genesis = owner.genesis('a')
  const record = owner.recordOf('a')
  const grant = authority.grant(ci, { rights: ['write'] })
  const set = relying(ci, owner.patch(record, [genesis.id], [['set', ['a'], 'u']]), grant)
  const revoke = authority.revoke(grant)
  const other = owner.genesis('b')
  const ops = [genesis, grant, set, other, revoke]
  const { replica } = await openReplica()
  for (const op of ops) {
    const by = op.header.actor === ci.signer.key ? ci : owner
    expect((await replica.admit(by.bytes([op]), { via: 'file' })).results[0]?.verdict).toBe('applied')
  }
  const matcher = made({ where: { field: 'a', op: '=', value: 'u' } })
  const told = async (since: number) =>
    (await matchesIn(replica, matcher, since, 10)).matches.map(({ match, change }) => [match, change.op, change.record])
  const expected = [
    ['new', set.id, record],
    ['gone', revoke.id, record],
  ]
  expect(await told(0)).toEqual(expected)
  expect(await told(3)).toEqual(expected.slice(1))
  await replica[Symbol.asyncDispose]()
})

test('a record with very many ops is told as it is now', async () => {
  const p = publisher()
  const ops = [p.genesis('long')]
  const record = p.recordOf('long')
  for (let n = 0; n < statesAtOpsMax; n++) ops.push(p.set(record, [ops.at(-1)?.id as string], `n${n}`))
  ops.push(p.patch(record, [ops.at(-1)?.id as string], [['set', ['a'], 'u']]))
  const { replica } = await openReplica()
  await replica.admit(p.bytes(ops), { via: 'file' })
  const end = replica.counts().seq
  const of = async (value: string) =>
    (await matchesIn(replica, made({ where: { field: 'a', op: '=', value } }), end - 2, 10)).matches
  expect((await of('u')).map(({ match }) => match)).toEqual(['changed', 'changed'])
  expect((await of('v')).map(({ match }) => match)).toEqual(['gone', 'gone'])
  await replica[Symbol.asyncDispose]()
})

test('one record is matched as an index matches it: the same by conditions, never more by words', () =>
  seeded((parameters) =>
    fc.assert(
      fc.asyncProperty(fc.array(entryArbitrary, { maxLength: 12 }), queryArbitrary, async (entries, query) => {
        const index = new ScanIndex()
        await index.reset('e')
        await index.apply({ seq: entries.length, entries, removed: [] })
        const current = [...new Map(entries.map((entry) => [entry.id, entry])).values()]
        const { kinds, filters, where } = query
        const watched = { kinds, ...(filters && { filters }), ...(where && { where }) }
        for (const [asked, isExact] of [
          [watched, true],
          [{ ...watched, query: query.query ?? '' }, query.query === undefined],
        ] as const) {
          const answer = await index.search({ ...asked, limit: 1_000 } as Parameters<ScanIndex['search']>[0])
          const matcher = entryMatcher(asked as Parameters<typeof entryMatcher>[0])
          if ('problem' in answer) continue
          if ('problem' in matcher) throw new Error(matcher.problem)
          const found = answer.items.map(({ id }) => id).sort()
          const matched = current
            .filter(matcher)
            .map(({ id }) => id)
            .sort()
          if (isExact) expect(matched).toEqual(found)
          else expect(found).toEqual(expect.arrayContaining(matched))
        }
      }),
      { ...parameters, numRuns: 300 },
    ),
  ))

test('a field that no table knows may be named by the last segment of its path', () => {
  const matches = entryMatcher({ where: { field: 'deep', op: '=', value: 'a' } })
  if ('problem' in matches) throw new Error(matches.problem)
  expect(matches(entry('gadget', 'one', { odd: { deep: 'a' } }))).toBe(true)
  expect(matches(entry('gadget', 'two', { odd: { deeper: 'a' } }))).toBe(false)
})
