/** Records as the search index takes them, by hand or at random. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import type { Doc } from '../../crdt/index.ts'
import type { IndexEntry } from '../../node/search.ts'
import type { Expression } from '../../node/search-expression.ts'

/** An entry of its own id by kind and slug. Times count up with `at`. */
export function entry(kind: string, slug: string, doc: Doc = {}, at = 0): IndexEntry {
  return {
    id: createHash('sha256').update(`${kind} ${slug}`).digest('hex'),
    kind,
    owner: 'did:key:z6MkTest',
    slug,
    doc: { name: slug.slice(slug.lastIndexOf('/') + 1), ...doc },
    registeredAt: 1_700_000_000_000 + at,
    changedAt: 1_700_000_000_000 + 10 * at,
  }
}

const words = [
  'llama',
  'llamas',
  'Whisper',
  'home',
  'assistant',
  'diffusion',
  'stable',
  '8b',
  '3.1',
  'v2',
  '小红书',
  'Straße',
]
const word = fc.constantFrom(...words)
const phrase = (most: number) => fc.array(word, { minLength: 1, maxLength: most }).map((some) => some.join(' '))
const dashed = fc.array(word, { minLength: 1, maxLength: 3 }).map((some) => some.join('-'))
const number = fc.constantFrom(0, 1, 2, 5, 10, 1.5, -3, 1e12)
const licence = fc.constantFrom('mit', 'MIT', 'apache-2.0', 'llama3.1')
const tag = fc.constantFrom('chat', 'code', 'Code', 'vision', 'a b', '')

/** Few words and values, so that queries made of them meet records. */
const doc: fc.Arbitrary<Doc> = fc.record(
  {
    display_name: phrase(3),
    description: phrase(8),
    provider: fc.constantFrom('meta', 'openai', 'Home Lab'),
    license: licence,
    licenses: fc.uniqueArray(licence, { maxLength: 3 }),
    tags: fc.uniqueArray(tag, { maxLength: 4 }),
    framework: fc.constantFrom('PyTorch', { Other: 'n8n' }, { Other: 'PyTorch' }),
    downloads: number,
    context_length: number,
    open_weights: fc.boolean(),
    resource_requirements: fc.record({ min_vram_gb: number, min_vcpus: number }, { requiredKeys: [] }),
    unknown_field: fc.oneof(number, tag, fc.constant(null), fc.boolean()),
    nested: fc.record({ deep: tag, deeper: fc.record({ deep: number }) }, { requiredKeys: [] }),
    long: fc.constantFrom('x'.repeat(300), `${'x'.repeat(300)}y`),
  },
  { requiredKeys: [] },
)

/** Few ids, so that most changes meet a record that is already there. */
export const entryArbitrary: fc.Arbitrary<IndexEntry> = fc
  .tuple(fc.constantFrom('model', 'tool', 'gadget'), fc.nat(15), dashed, doc, fc.nat(5))
  .map(([kind, number, name, fields, at]) => entry(kind, `r${number}`, { name, ...fields }, at))

const filterArbitrary = fc.dictionary(
  fc.constantFrom(
    'license',
    'licenses',
    'tags',
    'owner',
    'provider',
    'framework',
    'downloads',
    'downloads_gte',
    'context_length_lte',
    'open_weights',
    'min_vram_gb_lte',
    'resource_requirements.min_vcpus_gte',
    'unknown_field',
    '/nested/deep',
    'nested.deep',
    'deeper.deep',
    'long',
    'nobody_has_this',
    'name',
    'slug',
    'kind',
    'registered_at_gte',
    'changed_at',
    'owner_id',
  ),
  fc.oneof(
    number,
    licence,
    tag,
    fc.array(tag, { maxLength: 2 }),
    fc.boolean(),
    fc.constant({ Other: 'PyTorch' }),
    fc.constant(null),
    fc.constantFrom('meta', 'did:key:z6MkTest', 'x'.repeat(300), 1_700_000_000_002),
  ),
  { maxKeys: 2 },
)

const field = fc.constantFrom(
  'license',
  'tags',
  'owner',
  'framework',
  'downloads',
  'open_weights',
  'min_vram_gb',
  'unknown_field',
  'nested.deep',
  'deeper.deep',
  'long',
  'description',
  'name',
  'kind',
  'id',
  'owner_id',
  'registered_at',
  'nobody_has_this',
)
const operand = fc.oneof(
  number,
  licence,
  tag,
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom('LLAMA', 'me', 'x'.repeat(300), 'xx', 1_700_000_000_002),
)
const compared = fc.record({
  field,
  op: fc.constantFrom('=' as const, '!=' as const, '<' as const, '<=' as const, '>' as const, '>=' as const),
  value: operand,
})
const listed = fc.record({ field, op: fc.constant('in' as const), value: fc.array(operand, { maxLength: 3 }) })
const worded = fc.record({ field, op: fc.constantFrom('contains' as const, 'exists' as const), value: operand })

/** Trees of tests, two levels deep, of fields and values that records have. */
export const whereArbitrary: fc.Arbitrary<Expression> = fc.letrec<{ tree: Expression }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    compared,
    listed,
    worded,
    fc.record({ all: fc.array(tie('tree'), { maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('tree'), { maxLength: 3 }) }),
    fc.record({ not: tie('tree') }),
  ),
})).tree

export const queryArbitrary = fc.record(
  {
    where: whereArbitrary,
    kinds: fc.constantFrom(['model'], ['tool', 'gadget'], ['model', 'tool', 'gadget'], ['nothing']),
    query: fc.oneof(
      phrase(3),
      fc.constantFrom('lama', 'asistant', 'whispre', 'homeassistant', 'llama3.1 8b', 'sta', '小红', '!!', 'zzzz llama'),
    ),
    filters: filterArbitrary,
    facets: fc.uniqueArray(
      fc.constantFrom('license', 'tags', 'owner', 'framework', 'downloads', 'unknown_field', 'kind', 'long'),
      { maxLength: 3 },
    ),
    sort: fc.constantFrom(
      'name',
      '-name',
      'downloads',
      '-downloads',
      'registered_at',
      '-changed_at',
      'license',
      'unknown_field',
      'long',
      'tags',
    ),
  },
  { requiredKeys: [] },
)
