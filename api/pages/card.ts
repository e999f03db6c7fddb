/** A record in a list: what it is, what it is for, how large, under which licence, and when it changed. */
import { html } from 'hono/html'
import { kindOf, kinds, type Merged, ownerToDid, pluralOf } from '../../crdt/index.ts'
import { numberAt, plain, textAt, titleOf, valueAt } from './doc.ts'
import { compact, type Html, isolated, label, named, plural, shortDid, time } from './text.ts'

export type CardOptions = {
  readonly now: number
  /** Pieces of its texts with the words that were looked for between `**`. */
  readonly highlights?: Readonly<Record<string, string>>
  /** How many others of the list are copies of it. */
  readonly copies?: number
}

/** Kinds are told apart by their word; the hue only helps. It is the place in the list of kinds. */
export function kindBadge(kind: string): Html {
  return html`<span class="kind hue-${hueOf(kind)}">${kind}</span>`
}

export function hueOf(kind: string): number {
  return Math.max(0, Object.keys(kinds).indexOf(kind)) % HUES
}

const HUES = 10

export function recordPath(record: Pick<Merged, 'kind' | 'record'>): string {
  return `/${pluralOf(record.kind)}/${record.record}`
}

export function publisherPath(did: string): string {
  return `/publishers/${did}`
}

export function card(record: Merged, { now, highlights, copies = 0 }: CardOptions): Html {
  const { doc, kind, slug, owner: by } = record
  const title = titleOf(record)
  const did = ownerToDid(by)
  const license = textAt(doc, 'license') ?? listed(valueAt(doc, 'licenses'))
  const status = textAt(doc, 'status')
  const facts = [taskOf(record), ...sizesOf(record)].filter((fact) => fact !== undefined)
  return html`<li class="card hue-${hueOf(kind)}">
<div class="card-head">
${emblem(record, title)}
<div>
<h3><a href="${recordPath(record)}">${named(title)}</a></h3>
<p class="slug">${slug !== undefined && slug !== title && isolated(slug)}</p>
</div>
</div>
${aboutOf(record, highlights)}
<ul class="facts">
<li class="kind">${kind}</li>
${facts.map((fact) => html`<li>${fact}</li>`)}
${license !== undefined && html`<li class="license"><span class="unseen">Licence </span>${isolated(license, 40)}</li>`}
${status !== undefined && html`<li class="status">${isolated(status, 24)}</li>`}
${
  copies > 0 &&
  html`<li class="copies"><a href="/?${new URLSearchParams({ kind, q: title, copies: 'apart' })}">${plural(copies, 'copy', 'copies')}</a></li>`
}
${record.conflicts.length > 0 && html`<li class="warn">${plural(record.conflicts.length, 'conflict')}</li>`}
</ul>
<p class="foot">
<a class="mono" href="${publisherPath(did)}" title="Signed by ${did}">${shortDid(did)}</a>
${counted(doc, 'downloads', '↓', 'downloads')}
${counted(doc, 'likes', '♥', 'likes')}
<span class="when">updated ${time(record.changedAt, now)}</span>
</p>
</li>`
}

function counted(doc: Merged['doc'], field: string, sign: string, word: string): Html | undefined {
  const n = numberAt(doc, field)
  if (n === undefined || n <= 0) return undefined
  return html`<span><span aria-hidden="true">${sign} </span>${compact(n)}<span class="unseen"> ${word}</span></span>`
}

/** The sign a record has for itself, such as an emoji, else the letter that its name begins with. */
function emblem({ doc }: Merged, title: string): Html {
  const icon = textAt(doc, 'icon') ?? ''
  const [sign] = icon.length <= ICON_CHARS && !/[\p{L}\p{N}<&/]/u.test(icon) ? signs.segment(icon.trim()) : []
  const [letter = '·'] = title.match(/[\p{L}\p{N}]/u) ?? []
  return html`<span class="emblem" aria-hidden="true">${sign?.segment ?? letter.toUpperCase()}</span>`
}

/** Longer ones are addresses and drawings. */
const ICON_CHARS = 16
const signs = new Intl.Segmenter()

const ABOUT_CHARS = 220

function aboutOf({ doc }: Merged, highlights: Readonly<Record<string, string>> | undefined): Html | undefined {
  const hit =
    highlights?.['description'] ?? Object.entries(highlights ?? {}).find(([field]) => !/name$/.test(field))?.[1]
  if (hit !== undefined) return html`<p class="about">${marked(hit)}</p>`
  const text = textAt(doc, 'description')
  if (text !== undefined) return html`<p class="about"><bdi>${plainText(text)}</bdi></p>`
  const tags = valueAt(doc, 'tags')
  const words = Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string').slice(0, TAGS_AT_ONCE) : []
  if (words.length < 2) return undefined
  return html`<p class="about">${words.map((tag) => html`<bdi>#${tag.slice(0, 40).toWellFormed()}</bdi> `)}</p>`
}

const TAGS_AT_ONCE = 10

/** Without the signs of Markdown that would only be in the way in two lines of text. */
function plainText(text: string): string {
  const line = text
    .slice(0, 4 * ABOUT_CHARS)
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[*_`#>|]+/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  return line.length <= ABOUT_CHARS ? line : `${line.slice(0, line.lastIndexOf(' ', ABOUT_CHARS)).toWellFormed()} …`
}

function marked(piece: string): Html {
  return html`<bdi>${piece.split('**').map((part, at) => (at % 2 === 1 ? html`<mark>${part}</mark>` : part))}</bdi>`
}

/** What sort of work it is for, by its kind's table. */
export function taskOf({ kind, doc }: Merged): Html | undefined {
  for (const path of kindOf(kind)?.card?.task ?? []) {
    const text = textAt(doc, path)
    if (text !== undefined) return isolated(text, 48)
  }
  return undefined
}

/** How large it is, by its kind's table. */
export function sizesOf({ kind, doc }: Merged): Html[] {
  return (kindOf(kind)?.card?.size ?? []).flatMap((path) => {
    const value = plain(valueAt(doc, path))
    const n = typeof value === 'number' ? value : Array.isArray(value) ? value.length : undefined
    if (n === undefined || n <= 0) return []
    const word = SHORT[path] ?? label(path).toLowerCase()
    return [html`${compact(n)} ${n === 1 ? word.replace(/s$/, '') : word}`]
  })
}

/** Words that a card has no room for. */
const SHORT: Readonly<Record<string, string>> = { parameters: 'params', context_length: 'context' }

function listed(value: unknown): string | undefined {
  if (!Array.isArray(value)) return undefined
  const texts = value.filter((each) => typeof each === 'string')
  return texts.length === 0 ? undefined : texts.join(', ')
}
