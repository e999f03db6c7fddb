/**
 * Strings that have broken other programs, in every field that a page shows: each is shown as the text it is. Nothing
 * runs, nothing is asked for, no element or attribute gets in. The page of every record is parsed by the browser and
 * looked through; lists, and pages that hold many of the strings at once, are opened as a person would.
 */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isSlug } from '../../../crdt/index.ts'
import { browserMissing, browserNote, openBrowser, openPage } from '../../support/browser.ts'
import { type HttpNode, startHttpNode } from '../../support/http-node.ts'
import { leftOutNote, othersVectors, vectorsLeftOut } from '../../support/vectors.ts'

const OWN = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "'-alert(1)-'",
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  '<svg/onload=alert(1)>',
  '<a href="https://example.org" style="position:fixed" hx-get="/node" onclick="alert(1)">x</a>',
  '</title></textarea></style><script>alert(1)</script>',
  '<meta http-equiv="refresh" content="0;url=https://example.org">',
  '<iframe srcdoc="<script>alert(1)</script>">',
  '<base href="https://example.org/">',
  '![x](javascript:alert(1)) [x](data:text/html,<script>alert(1)</script>)',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: that is the string
  '{{7*7}} ${7*7} <%= 7*7 %>',
  '\u202ereversed\u0000\u0001\ufeff',
  '&lt;script&gt; &#60;script&#62;',
]
const strings: readonly string[] = vectorsLeftOut
  ? OWN
  : [...new Set([...OWN, ...(JSON.parse(othersVectors('blns/blns.json')) as string[])])].filter((text) =>
      text.isWellFormed(),
    )

/** Pages are looked at again until they say it; a busy machine takes its time. */
const soon = { timeout: 20_000 }

let http: HttpNode
let browser: Browser
/** Ids by the string; the slug is the string where it can be one. */
const records = new Map<string, string>()
const many: string[] = []

beforeAll(async () => {
  if (browserMissing) return
  http = await startHttpNode()
  browser = await openBrowser()
  const lines = strings.map((text, at) => ({
    kind: 'model',
    slug: isSlug(text) ? text : `string-${at}`,
    doc: docOf(text),
  }))
  for (let at = 0; at < lines.length; at += 100) {
    const outcomes = await batch(lines.slice(at, at + 100))
    for (const { i, id, outcome } of outcomes) if (outcome === 'created') records.set(strings[at + i] as string, id)
  }
  const SOME = 60
  for (let at = 0; at < strings.length; at += SOME) {
    const [outcome] = await batch([{ kind: 'tool', slug: `many-${at}`, doc: docOfMany(strings.slice(at, at + SOME)) }])
    expect(outcome?.outcome).toBe('created')
    many.push(outcome?.id as string)
  }
})
afterAll(async () => {
  await browser?.close()
  await http?.[Symbol.asyncDispose]()
})

/** The string in every place that a page treats in a way of its own. */
function docOf(text: string) {
  return {
    ...Object.fromEntries(
      ['name', 'display_name', 'provider', 'version', 'description', 'license', 'category', 'status', 'homepage'].map(
        (field) => [field, text],
      ),
    ),
    ...{ icon: text, author: text, readme: text, model_type: text, use_case: text, formfile_template: text },
    tags: [text, `${text}.`],
    links: [{ label: text, url: text }],
    provenance: [{ source: text, other: { [keyOf(text)]: text } }],
    [keyOf(text)]: { [keyOf(text)]: [text, { deep: { deeper: { deepest: text } } }] },
  }
}

/** The beginning of the string: a key has at most 128 bytes. */
function keyOf(text: string): string {
  return `x-${[...text].slice(0, 20).join('')}`
}

function docOfMany(texts: readonly string[]) {
  return {
    readme: texts.join('\n\n'),
    description: texts.map((text) => `- ${text}`).join('\n'),
    tags: [...new Set(texts)],
    tools: texts.map((text) => ({ name: text, description: text })),
    ...Object.fromEntries(texts.map((text, at) => [`${keyOf(text)}-${at}`, text])),
  }
}

async function batch(lines: readonly unknown[]): Promise<{ i: number; id: string; outcome: string }[]> {
  const body = lines.map((line) => JSON.stringify(line)).join('\n')
  const answer = await http.call('POST', '/v1/batch?lenient=true', body, { 'content-type': 'application/x-ndjson' })
  return (await answer.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** Everything in a page that should not be there. Runs in the browser, on the page itself or on one that was parsed. */
const FOREIGN = `(root) => {
  const tags = new Set(['SCRIPT','LINK','META','FORM','INPUT','BUTTON','SELECT','SVG','IMG','IFRAME','OBJECT','EMBED','STYLE','BASE','VIDEO','AUDIO','MATH','TEMPLATE','TEXTAREA','MARQUEE','FRAMESET','APPLET','BGSOUND'])
  const ours = { SCRIPT: (e) => /^\\/assets\\/\\w+\\.[0-9a-f]+\\.js$/.test(e.getAttribute('src') ?? '') && e.textContent === '',
    LINK: (e) => ['icon','stylesheet','canonical','alternate'].includes(e.rel) && e.getAttribute('href').startsWith('/'),
    META: (e) => e.hasAttribute('charset') || ['viewport','color-scheme','htmx-config','description'].includes(e.name),
    FORM: (e) => e.getAttribute('action') === '/' && (e.matches('.search') || e.matches('.sort')),
    INPUT: (e) => e.closest('form') !== null || e.getAttribute('form') === 'search', BUTTON: () => true, SELECT: (e) => e.id === 'sort',
    SVG: (e) => e.closest('.brand') !== null || e.matches('.bars') }
  const attributes = /^(class|id|href|title|rel|type|role|aria-[a-z]+|for|name|value|placeholder|maxlength|autocomplete|spellcheck|action|dir|datetime|tabindex|hidden|lang|charset|content|src|defer|data-(copy|follow|since|record|live)|hx-[a-z-]+|form|scope|colspan|download|open|viewbox|width|height|rx|ry|x|y|d|cx|cy|r|fill|stroke-[a-z]+|preserveaspectratio|selected|start|onlylang)$/i
  const wrong = []
  for (const e of root.querySelectorAll('*')) {
    const tag = e.tagName.toUpperCase()
    if (tags.has(tag) && !ours[tag]?.(e)) wrong.push('element ' + e.outerHTML.slice(0, 200))
    for (const { name, value } of e.attributes) {
      if (/^on/i.test(name) || name === 'style' || name === 'srcdoc' || !attributes.test(name)) wrong.push('attribute ' + name + ' of ' + e.outerHTML.slice(0, 200))
      if (/^hx-/.test(name) && name !== 'hx-disable' && e.closest('.markdown, bdi, td, .card')) wrong.push('htmx in ' + e.outerHTML.slice(0, 200))
      if (name === 'href' && !/^(https?:\\/\\/|\\/|#)/.test(value)) wrong.push('address ' + value.slice(0, 200))
    }
  }
  return wrong
}`

/** What a page makes of a text: controls become visible, and HTML knows one line end. */
function shownAs(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that are replaced
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, (sign) =>
        sign === '\u007f' ? '\u2421' : String.fromCharCode(0x2400 + sign.charCodeAt(0)),
      )
      .replace(/\r\n?/g, '\n')
  )
}

const inBrowser = (name: string, run: () => Promise<void>) =>
  test.skipIf(browserMissing)(name + browserNote + leftOutNote, run)

inBrowser('the page of a record says each string as it is, and nothing else gets in', async () => {
  const { page, trouble } = await openPage(browser, http.url)
  await page.goto('/node')
  expect(records.size).toBe(strings.length)
  const all = [...records].map(([text, id]) => ({
    text: shownAs(text),
    key: shownAs(keyOf(text)),
    path: `/models/${id}`,
  }))
  const wrong = await page.evaluate(`(${LOOK_THROUGH})(${JSON.stringify(all)}, ${FOREIGN})`)
  expect(wrong).toEqual([])
  expect(trouble).toEqual([])
})

/** Parsed by the browser's own parser, several at once. */
const LOOK_THROUGH = `async (all, foreign) => {
  const found = []
  const queue = all.values()
  const work = async () => {
    for (const { text, key, path } of queue) {
      const answer = await fetch(path, { headers: { accept: 'text/html' } })
      const parsed = new DOMParser().parseFromString(await answer.text(), 'text/html')
      found.push(...foreign(parsed).map((each) => path + ': ' + each))
      const title = parsed.querySelector('h1 bdi')?.textContent ?? ''
      if (text.trim() !== '' && !title.startsWith(text.slice(0, 300))) found.push(path + ': ' + text + ' is shown as ' + title)
      const cells = [...parsed.querySelectorAll('#fields th bdi')].map((cell) => cell.textContent)
      if (!cells.includes(key)) found.push(path + ': there is no field ' + key)
    }
  }
  await Promise.all(Array.from({ length: 4 }, work))
  return found
}`

async function walk(page: Page, path: string): Promise<number> {
  let pages = 0
  for (let next: string | null = path; next !== null; pages++) {
    await page.goto(next)
    expect(await page.evaluate(`(${FOREIGN})(document)`), next).toEqual([])
    const link = page.locator('.pager .next')
    next = (await link.count()) > 0 ? await link.getAttribute('href') : null
  }
  return pages
}

inBrowser('lists, histories, publishers and pages full of such strings are inert when they are opened', async () => {
  const { page, trouble } = await openPage(browser, http.url)
  expect(await walk(page, '/?kind=model')).toBe(Math.ceil(records.size / 30))
  for (const id of many) {
    await page.goto(`/tools/${id}`)
    expect(await page.evaluate(`(${FOREIGN})(document)`)).toEqual([])
  }
  for (const path of [`/tools/${many[0]}/history`, `/publishers/${http.node.did}`, '/node']) {
    await page.goto(path)
    expect(await page.evaluate(`(${FOREIGN})(document)`), path).toEqual([])
  }
  expect(trouble).toEqual([])
})

inBrowser('typed into the box, chosen as a filter and put into the address they are inert too', async () => {
  const { page, trouble } = await openPage(browser, http.url)
  const texts = OWN.filter((text) => /[<:{]/.test(text))
  for (const text of texts) {
    const name = encodeURIComponent(text)
    await page.goto(`/?q=${name}&${name}=${name}&sort=${name}`)
    expect(await page.evaluate(`(${FOREIGN})(document)`), text).toEqual([])
  }
  await page.goto('/')
  for (const text of texts.slice(0, 4)) {
    await page.locator('#q').fill(text)
    await expect.poll(() => new URL(page.url()).searchParams.get('q'), soon).toBe(text)
    expect(await page.evaluate(`(${FOREIGN})(document)`), text).toEqual([])
  }
  expect(trouble).toEqual([])
})
