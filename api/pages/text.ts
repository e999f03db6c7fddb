/**
 * Strangers' words as a page shows them: escaped by the template, isolated from the direction of what stands around
 * them, cut to a bound, and with control characters made visible. Nothing a record says becomes markup here; the one
 * place where it does, under an allow list, is markdown.ts.
 */
import { html } from 'hono/html'
import { pageNameCharsMax } from '../../node/index.ts'
import { oddities } from './oddities.ts'

export type Html = ReturnType<typeof html>

/** Text in an element that isolates its direction. Cut text says how much is left out. */
export function isolated(text: string, charsMax = pageNameCharsMax): Html {
  const { shown, left } = clip(text, charsMax)
  if (left === 0) return html`<bdi>${shown}</bdi>`
  return html`<bdi>${shown}</bdi><span class="left-out"> … ${count(left)} more characters</span>`
}

/** A name, with a flag when it may not be what it looks like. */
export function named(text: string): Html {
  const odd = oddities(text)
  if (odd.length === 0) return isolated(text)
  return html`${isolated(text)} <span class="flag" title="This name ${odd.join(' and ')}.">${odd.join(', ')}</span>`
}

/** For attributes and titles, where no element can isolate: the direction is held by the isolate characters. */
export function attribute(text: string, charsMax = pageNameCharsMax): string {
  const { shown, left } = clip(text, charsMax)
  return `\u2068${shown}${left > 0 ? ' …' : ''}\u2069`
}

export function clip(text: string, charsMax: number): { readonly shown: string; readonly left: number } {
  if (text.length <= charsMax) return { shown: visible(text), left: 0 }
  // Not inside a surrogate pair.
  const end = isHigh(text.charCodeAt(charsMax - 1)) ? charsMax - 1 : charsMax
  return { shown: visible(text.slice(0, end)), left: text.length - end }
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}

/** HTML drops or replaces these without a word; their pictures say what is there. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is them that are looked for
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g

function visible(text: string): string {
  return text.replace(CONTROLS, (control) =>
    control === '\u007f' ? '\u2421' : String.fromCharCode(0x2400 + control.charCodeAt(0)),
  )
}

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 6 })
const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 3 })

export function count(n: number): string {
  return grouped.format(n)
}

/** 7,615,616,512 is 7.62B. */
export function compact(n: number): string {
  return short.format(n)
}

/** `1 record`, `2 records`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`
}

export function bytes(n: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let unit = 0
  let size = n
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  return `${size >= 100 || unit === 0 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`
}

/** Any ms since 1970 that a signer's clock may say; a time that is none is said to be none. */
export function time(ms: number, now: number): Html {
  const date = new Date(ms)
  if (Number.isNaN(date.getTime())) return html`<span>no time</span>`
  const iso = date.toISOString()
  const exact = `${iso.slice(0, 19).replace('T', ' ')} UTC`
  return html`<time datetime="${iso}" title="${exact}">${ago(now - ms) ?? iso.slice(0, 10)}</time>`
}

/** Undefined for the future and for what is longer ago than a month: then the date says more. */
function ago(ms: number): string | undefined {
  const seconds = Math.round(ms / 1000)
  if (seconds < -5) return undefined
  if (seconds < 5) return 'just now'
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`
  const days = Math.floor(seconds / 86_400)
  if (days > 30) return undefined
  return days === 1 ? 'yesterday' : `${days} days ago`
}

/** The beginning and the end of an id: enough to compare two by eye, and the whole of it in the title. */
export function shortId(id: string, start = 8, end = 6): string {
  return id.length <= start + end + 1 ? id : `${id.slice(0, start)}…${id.slice(-end)}`
}

/** `did:key:z6Mk` begins every key; what differs comes after it. */
export function shortDid(did: string): string {
  const last = did.slice(did.lastIndexOf(':') + 1)
  return shortId(last, 8, 4)
}

/** An address that may be followed: http, https, nothing else and no credentials in it. */
export function webAddress(text: string): string | undefined {
  if (text.length > 2_048 || !/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined
  const url = new URL(text)
  return url.username === '' && url.password === '' ? url.href : undefined
}

/** Field names as people read them. */
export function label(field: string): string {
  const words = field.replaceAll('_', ' ').replaceAll('.', ' › ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
