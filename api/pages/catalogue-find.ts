/**
 * What the catalogue page asks the index: the records of its state, how many each facet value would leave, and how many
 * records each kind would have.
 *
 * A facet of which one value is chosen still shows the others, counted without that choice, so that a person can change
 * their mind in one step.
 */
import { fieldsOf, type Kind, kinds } from '../../crdt/index.ts'
import {
  type Listed,
  type NodeFace,
  pageCardsMax,
  pageFacetCountsMax,
  pageFacetSearchesMax,
  type QueryProblem,
  type SearchQuery,
} from '../../node/index.ts'
import { isProblem, type Problem } from '../problem.ts'
import { type CatalogueState, type Chosen, filtersOf, isTogether } from './catalogue-query.ts'

export type Facet = {
  readonly name: string
  /** A record may have several values, and all that are chosen are asked for. */
  readonly many: boolean
  readonly values: Listed['facets'][string]
}

export type Found = {
  readonly listed: Listed
  readonly facets: readonly Facet[]
  /** Every kind, with the records it has under the same text and filters. */
  readonly kinds: readonly { readonly kind: Kind; readonly count: number }[]
}

export async function findPage(node: NodeFace, state: CatalogueState): Promise<Found | Problem> {
  const fields = facetFields(state.kind)
  const query = queryOf(state, state.chosen)
  if (isProblem(query)) return query
  const names = fields.map(({ name }) => name)
  const [listed, counted, byKind, ...others] = await Promise.all([
    node.catalogue.find({
      ...query,
      limit: pageCardsMax,
      countDamaged: true,
      ...(isTogether(state) && { collapse: true }),
      ...(state.sort !== undefined && { sort: state.sort }),
      ...(state.cursor !== undefined && { cursor: state.cursor }),
    }),
    countFacets(node, { ...query, facets: names }),
    countsByKind(node, state),
    ...fields.map(({ name, many }) => (many ? undefined : withoutChoice(node, state, name))),
  ])
  if ('problem' in listed) return problemOf(listed)
  const facets = fields.map(({ name, many }, at) => ({ name, many, values: others[at] ?? counted[name] ?? [] }))
  return { listed, facets, kinds: byKind }
}

type Counted = Listed['facets']

/** Counts by question, of one state of the index: the pages of one list, and many readers, ask the same. */
const counts = new WeakMap<NodeFace, { readonly of: string; readonly byQuestion: Map<string, Promise<Counted>> }>()

/** No counts when the question is wrong: the list itself says what is. */
async function countFacets(node: NodeFace, query: SearchQuery): Promise<Counted> {
  const { policy } = node.replica
  const of = `${node.replica.counts().seq} ${policy.version}`
  let kept = counts.get(node)
  if (kept === undefined || kept.of !== of) {
    kept = { of, byQuestion: new Map() }
    counts.set(node, kept)
  }
  const { byQuestion } = kept
  const question = JSON.stringify(query)
  const known = byQuestion.get(question)
  if (known !== undefined) return known
  if (byQuestion.size >= pageFacetCountsMax) byQuestion.clear()
  const asked = node.catalogue.find(query).then((found) => {
    // What the index does not know yet may be there the next time.
    const isEarly = 'problem' in found || found.indexBehind > 0 || policy.unshown().length > 0
    if (isEarly) byQuestion.delete(question)
    return 'problem' in found ? {} : found.facets
  })
  byQuestion.set(question, asked)
  asked.catch(() => byQuestion.delete(question))
  return asked
}

/** The facets of a kind: its own first, then those that all kinds share. */
function facetFields(kind: Kind | undefined): { name: string; many: boolean }[] {
  const [first = [], ...rest] = Object.values(kinds).map((each) => facetsOf(each))
  const shared = first.filter(({ name }) => rest.every((others) => others.some((other) => other.name === name)))
  if (kind === undefined) return shared
  const isShared = (name: string) => shared.some((each) => each.name === name)
  return [...facetsOf(kind).filter(({ name }) => !isShared(name)), ...shared]
}

function facetsOf(kind: Kind): { name: string; many: boolean }[] {
  return fieldsOf(kind)
    .filter(({ field }) => field.facet)
    .map(({ path, field }) => ({ name: path.join('.'), many: field.type === 'list' }))
}

function queryOf(state: CatalogueState, chosen: readonly Chosen[]): SearchQuery | Problem {
  const filters = filtersOf({ kind: state.kind, chosen })
  if (isProblem(filters)) return filters
  return {
    limit: 1,
    filters,
    ...(state.kind !== undefined && { kinds: [state.kind.name] }),
    ...(state.text !== '' && { query: state.text }),
  }
}

async function countsByKind(node: NodeFace, state: CatalogueState): Promise<Found['kinds']> {
  const all = Object.values(kinds)
  if (state.text === '' && state.chosen.length === 0) {
    const { records } = node.replica.counts()
    return all.map((kind) => ({ kind, count: records[kind.name] ?? 0 }))
  }
  const query = queryOf({ ...state, kind: undefined }, state.chosen)
  // A filter that only one kind's table can read is no question to ask of all of them.
  const { kind: values = [] } = isProblem(query) ? {} : await countFacets(node, { ...query, facets: ['kind'] })
  return all.map((kind) => ({ kind, count: values.find(({ value }) => value === kind.name)?.count ?? 0 }))
}

/** Values of one facet as if nothing of it were chosen; undefined when nothing is, or when too many are. */
async function withoutChoice(
  node: NodeFace,
  state: CatalogueState,
  name: string,
): Promise<Facet['values'] | undefined> {
  const first = [...new Set(state.chosen.map((each) => each.name))].slice(0, pageFacetSearchesMax)
  if (!first.includes(name)) return undefined
  const query = queryOf(
    state,
    state.chosen.filter((each) => each.name !== name),
  )
  return isProblem(query) ? undefined : (await countFacets(node, { ...query, facets: [name] }))[name]
}

function problemOf({ problem, pointer }: QueryProblem): Problem {
  if (pointer === '/cursor') {
    return { problem: 'bad-cursor', detail: 'the list has changed: this address names a place that is no longer in it' }
  }
  return { problem: 'bad-query', detail: problem, errors: [{ pointer: pointer ?? '', message: problem }] }
}
