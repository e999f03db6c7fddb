/**
 * Everything one key has registered: by kind, the names it publishes under, when it began and when it last changed
 * something, and a hint where other keys use the same or a confusable name.
 */
import type { Context } from 'hono'
import { html } from 'hono/html'
import { didToOwner, kinds, type Value } from '../../crdt/index.ts'
import { type Listed, type NodeFace, pageNamesComparedMax, type SearchQuery } from '../../node/index.ts'
import type { Answer } from '../route.ts'
import { segmentsOf } from '../route.ts'
import { card, hueOf } from './card.ts'
import { pageAnswer } from './layout.ts'
import { skeleton } from './oddities.ts'
import { count, isolated, label, named, plural, shortDid, time } from './text.ts'

export async function publisherPage(node: NodeFace, c: Context): Promise<Answer> {
  const did = segmentsOf(c)?.[1] ?? ''
  if (didToOwner(did) === undefined) {
    return { problem: 'not-found', detail: 'a publisher is named by its key: did:key:z6Mk...' }
  }
  const facts = await factsOf(node, did)
  if (facts === undefined) return { problem: 'unavailable', detail: 'the search index has no answer at the moment' }
  const now = Date.now()
  const { total, byKind, names, first, latest, alike } = facts
  const own = node.did === did
  const main = html`<div class="wide stack">
<header class="record-head"><h1>Publisher <span class="mono">${shortDid(did)}</span></h1>
<p class="slug wrap">${did}</p>
<p class="badges">${own && html`<span class="badge good">the key of this node</span>`}${alike.map(
    ({ name, others, same }) =>
      html`<span class="badge warn">${plural(others, 'other key')} ${others === 1 ? 'publishes' : 'publish'} as ${same ? '' : 'what looks like '}${isolated(name, 60)}</span>`,
  )}</p></header>
<dl class="figures">
<div><dt>Records</dt><dd>${count(total)}</dd></div>
<div><dt>First registered</dt><dd>${first === undefined ? 'never' : time(first, now)}</dd></div>
<div><dt>Last changed</dt><dd>${latest[0] === undefined ? 'never' : time(latest[0].record.changedAt, now)}</dd></div>
</dl>
${total === 0 && html`<p class="nothing">Nothing that is live here is signed by this key.</p>`}
${
  byKind.length > 0 &&
  html`<section class="part"><h2>By kind</h2><ul class="tiles">${byKind.map(
    ({ name, count: n }) =>
      html`<li><a href="/?${new URLSearchParams({ kind: name, owner: did })}"><span class="dot hue-${hueOf(name)}" aria-hidden="true"></span> ${label(kinds[name]?.plural ?? name)} <span class="n">${count(n)}</span></a></li>`,
  )}</ul></section>`
}
${
  names.length > 0 &&
  html`<section class="part"><h2>Publishes as</h2><p class="quiet">Names that it gives itself in its records. Anybody can write any name: only the key above is proof.</p>
<ul class="chips">${names.map(({ name, count: n }) => html`<li><a href="/?${new URLSearchParams({ owner: did, provider: name })}">${named(name)} <span class="n">${count(n)}</span></a></li>`)}</ul></section>`
}
${
  latest.length > 0 &&
  html`<section class="part"><h2>Last changed</h2><ol class="cards">${latest.map(({ record }) => card(record, { now }))}</ol>
${total > latest.length && html`<p><a class="button" href="/?${new URLSearchParams({ owner: did, sort: '-changed_at' })}">All ${plural(total, 'record')}</a></p>`}</section>`
}
</div>`
  return pageAnswer(node, { title: `${shortDid(did)} · Peerage`, canonical: `/publishers/${did}`, main })
}

type Counted = { readonly name: string; readonly count: number }

type Facts = {
  readonly total: number
  readonly byKind: readonly Counted[]
  readonly names: readonly Counted[]
  readonly first: number | undefined
  readonly latest: Listed['items']
  /** Names of its own that other keys use too, to the letter or nearly. */
  readonly alike: readonly Alike[]
}

type Alike = { readonly name: string; readonly others: number; readonly same: boolean }

const LATEST = 12

async function factsOf(node: NodeFace, did: string): Promise<Facts | undefined> {
  const filters = { owner: did }
  const [latest, first, everybody] = await Promise.all([
    ask(node, { filters, facets: ['kind', 'provider'], sort: '-changed_at', limit: LATEST }),
    ask(node, { filters, sort: 'registered_at', limit: 1 }),
    ask(node, { facets: ['provider'], limit: 1 }),
  ])
  if (latest === undefined) return undefined
  const names = countedOf(latest.facets['provider'])
  return {
    total: latest.total,
    byKind: countedOf(latest.facets['kind']),
    names: names.slice(0, NAMES_SHOWN),
    first: first?.items[0]?.record.registeredAt,
    latest: latest.items,
    alike: await alikeOf(node, did, names, countedOf(everybody?.facets['provider'])),
  }
}

const NAMES_SHOWN = 40

/** The commonest names are compared: whoever wants to be taken for somebody takes a name that people know. */
async function alikeOf(
  node: NodeFace,
  did: string,
  names: readonly Counted[],
  common: readonly Counted[],
): Promise<Alike[]> {
  const compared = names.slice(0, pageNamesComparedMax)
  const looks = new Map(compared.map(({ name }) => [skeleton(name), name]))
  const others = common.filter(({ name }) => looks.has(skeleton(name)) && !compared.some((own) => own.name === name))
  const asked = [...compared, ...others.slice(0, pageNamesComparedMax)]
  const found = await Promise.all(
    asked.map(async ({ name }): Promise<Alike> => {
      const holders = await ask(node, { filters: { provider: name }, facets: ['owner_id'], limit: 1 })
      const keys = countedOf(holders?.facets['owner_id']).filter((owner) => owner.name !== did)
      return { name, others: keys.length, same: compared.some((own) => own.name === name) }
    }),
  )
  return found.filter((each) => each.others > 0)
}

async function ask(node: NodeFace, query: SearchQuery): Promise<Listed | undefined> {
  const found = await node.catalogue.find(query)
  return 'problem' in found ? undefined : found
}

function countedOf(values: readonly { readonly value: Value; readonly count: number }[] | undefined): Counted[] {
  return (values ?? []).map(({ value, count: n }) => ({ name: String(value), count: n }))
}
