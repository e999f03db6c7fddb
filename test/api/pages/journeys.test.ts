/** What people do with the pages, in a real browser over a real node. */
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { browserMissing, browserNote, openBrowser, openPage, type Watched } from '../../support/browser.ts'
import { type PageNode, startPageNode } from '../../support/page-node.ts'

/** Pages are looked at again until they say it; a busy machine takes its time. */
const soon = { timeout: 20_000 }

let http: PageNode
let browser: Browser
const opened: Watched[] = []

beforeAll(async () => {
  if (browserMissing) return
  http = await startPageNode()
  browser = await openBrowser()
})
afterAll(async () => {
  await browser?.close()
  await http?.[Symbol.asyncDispose]()
})

async function open(path: string, options?: Parameters<typeof openPage>[2]) {
  const watched = await openPage(browser, http.url, options)
  opened.push(watched)
  await watched.page.goto(path)
  return watched.page
}

afterEach(async () => {
  for (const { page, trouble } of opened.splice(0)) {
    expect(trouble).toEqual([])
    await page.context().close()
  }
})

const inBrowser = (name: string, run: () => Promise<void>) => test.skipIf(browserMissing)(name + browserNote, run)
const cards = '.cards > .card'

inBrowser('finds as you type, and the address is that of what is found', async () => {
  const page = await open('/')
  await page.locator('#q').pressSequentially('hammer', { delay: 20 })
  await page.locator('#found', { hasText: '1 record for hammer' }).waitFor()
  await expect.poll(() => page.url(), soon).toBe(`${http.url}/?q=hammer`)
  expect(await page.locator(cards).count()).toBe(1)
  // The box was not replaced under the fingers.
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('q')
  await expect.poll(() => page.locator('#announce').textContent(), soon).toContain('1 record')
  await page.reload()
  expect(await page.locator(`${cards} h3`).textContent()).toContain('hammer')
  expect(await page.locator('#q').inputValue()).toBe('hammer')
})

inBrowser('narrows by facets with counts; each state is a permalink, and back leads back', async () => {
  const page = await open('/?kind=model&q=small')
  const group = page.locator('.facet', { has: page.locator('h2', { hasText: /^License$/ }) })
  expect(await group.locator('li').allTextContents()).toEqual(['Apache-2.0 56', 'MIT 14'])
  await group.getByText('MIT').click()
  await page.locator('#found', { hasText: '14 records' }).waitFor()
  expect(new URL(page.url()).searchParams.get('license')).toBe('MIT')
  // The other value is still counted, so that one step changes the mind.
  expect(await group.locator('li').allTextContents()).toEqual(['Apache-2.0 56', 'MIT 14'])
  await page.locator('.facet', { hasText: 'Tags' }).getByText('group-1').click()
  await page.locator('.chosen li').nth(2).waitFor()
  const found = await page.locator('#found').textContent()
  const address = page.url()
  const again = await open(address)
  expect(await again.locator('#found').textContent()).toBe(found)
  expect(await again.locator('.facet a[aria-current]').count()).toBe(2)
  // What is typed now keeps what is chosen.
  await again.locator('#q').fill('translation')
  await expect.poll(() => new URL(again.url()).searchParams.get('q'), soon).toBe('translation')
  expect(new URL(again.url()).searchParams.getAll('license')).toEqual(['MIT'])
  await page.goBack()
  await page.locator('#found', { hasText: '14 records' }).waitFor()
  await page.getByRole('link', { name: /Clear all/ }).click()
  await page.locator('#found', { hasText: '70 records' }).waitFor()
})

inBrowser('pages by cursor through all records, each once, sorted as asked', async () => {
  const page = await open('/?kind=model')
  await page.locator('#sort').selectOption('-parameters')
  await expect.poll(() => new URL(page.url()).searchParams.get('sort'), soon).toBe('-parameters')
  await page.locator(`${cards} h3`, { hasText: 'small-model-69' }).waitFor()
  const names: string[] = []
  for (;;) {
    names.push(...(await page.locator(`${cards} h3`).allTextContents()))
    const next = page.getByRole('link', { name: 'Next page' })
    if ((await next.count()) === 0) break
    const first = await page.locator(`${cards} h3`).first().textContent()
    await next.click()
    await expect.poll(() => page.locator(`${cards} h3`).first().textContent(), soon).not.toBe(first)
  }
  expect(names.slice(0, 3)).toEqual(['small-model-69', 'small-model-68', 'small-model-67'])
  expect(names.length).toBe(74)
  expect(new Set(names.map((name) => name.trim())).size).toBe(73) // two publishers have one of the same name
  await page.getByRole('link', { name: 'First page' }).click()
  await page.locator(`${cards} h3`, { hasText: 'small-model-69' }).waitFor()
})

inBrowser('copies of one thing are one card where somebody looks for it, and can be seen apart', async () => {
  const page = await open('/?q=disputed')
  expect(await page.locator(cards).count()).toBe(1)
  await page.locator('.copies a', { hasText: '1 copy' }).click()
  await page.locator(cards).nth(1).waitFor()
  expect(await page.locator(`${cards} h3`).allTextContents()).toEqual(['disputed', 'disputed'])
  await page.getByRole('link', { name: 'Show copies together' }).click()
  await page.locator('#found', { hasText: '1 record' }).waitFor()
})

inBrowser('a record: sanitised Markdown, all fields, snippets, proof, provenance, namesakes', async () => {
  const page = await open(`/models/${http.disputed}`)
  expect(await page.locator('h1').textContent()).toContain('disputed')
  const readme = page.locator('#text-readme .markdown')
  expect(await readme.locator('h3').textContent()).toBe('Installing')
  expect(await readme.locator('table td code').textContent()).toBe('two')
  expect(await readme.locator('script, img, [onclick], [onerror], [hx-get]').count()).toBe(0)
  expect(await readme.locator('a').evaluateAll((links) => links.map((link) => link.getAttribute('href')))).toEqual([
    'https://example.org/docs',
    'https://example.org/',
    'https://example.org/picture.png',
  ])
  expect(await page.title()).toContain('disputed')
  expect(await page.locator('#fields tbody tr').count()).toBe(8)
  expect(await page.locator('#signature .verdict').textContent()).toContain('Signature verified')
  expect(await page.locator('#signature .heads li').count()).toBe(2)
  expect(await page.locator('#provenance').textContent()).toContain('BSD-3-Clause')
  expect(await page.locator('.badges').textContent()).toContain('another key has a record of this name')
  expect(await page.locator('#holders').textContent()).toContain('No peer is connected')
  const curl = await page.locator('#snippet-0').textContent()
  const address = /curl -s (\S+)$/.exec(curl ?? '')?.[1] as string
  expect((await (await fetch(address)).json()).id).toBe(http.disputed)
  // The same record under its owner and name.
  await page.goto(`/models/${http.node.did}/disputed`)
  expect(await page.locator('link[rel=canonical]').getAttribute('href')).toBe(`/models/${http.disputed}`)
})

inBrowser('a conflict: the sides next to each other, the shown one first, with what differs', async () => {
  const page = await open(`/models/${http.disputed}`)
  const conflict = page.locator('.conflict', { hasText: '/description' })
  const sides = conflict.locator('.side')
  expect(await sides.count()).toBe(2)
  const [left, right] = await sides.evaluateAll((all) => all.map((side) => side.getBoundingClientRect().toJSON()))
  expect(right.left).toBeGreaterThan(left.right - 1)
  expect(right.top).toBe(left.top)
  expect(await sides.nth(0).locator('.badge').textContent()).toBe('shown')
  const shown = await sides.nth(0).locator('.says').textContent()
  const other = await sides.nth(1).locator('.says').textContent()
  const diff = sides.nth(1).locator('.text-diff')
  const kept = (gone: 'ins' | 'del') =>
    diff.evaluate((element, tag) => {
      const copy = element.cloneNode(true) as Element
      for (const each of copy.querySelectorAll(tag)) each.remove()
      return copy.textContent
    }, gone)
  expect(await kept('ins')).toBe(shown)
  expect(await kept('del')).toBe(other)
  expect(await page.locator('.conflict', { hasText: '/license' }).locator('.side').count()).toBe(2)
})

inBrowser('a history: every op with its signer and what it changed', async () => {
  const page = await open(`/models/${http.disputed}/history`)
  const ops = page.locator('.op')
  expect(await ops.locator('strong').allTextContents()).toEqual(['Changed', 'Changed', 'Changed', 'Registered'])
  const third = ops.nth(2)
  expect(await third.locator('dt').allTextContents()).toEqual(['/tags', '/version'])
  expect(await third.locator('ins').allTextContents()).toEqual(['added: second', 'set: 1.1.0'])
  // Each side of the fork is compared with what it had seen, not with the other side.
  for (const at of [0, 1]) expect(await ops.nth(at).locator('del').first().textContent()).toContain('MIT')
  await page.goto(`/agents/${http.deleted}`)
  expect(await page.locator('.verdict').first().textContent()).toContain('Deleted')
  expect(await page.locator('.op strong').allTextContents()).toEqual(['Deleted', 'Registered'])
})

inBrowser('a publisher: what it has by kind, and who else goes by its name', async () => {
  const page = await open(`/publishers/${http.other}`)
  expect(await page.locator('h1').textContent()).toContain('Publisher')
  expect(await page.locator('.tiles').textContent()).toContain('Models 1')
  expect(await page.locator('.badges').textContent()).toContain('1 other key publishes as acme')
  await page.locator('.tiles a', { hasText: 'Models' }).click()
  expect(await page.locator(cards).count()).toBe(1)
  await page.goto(`/publishers/${http.node.did}`)
  expect(await page.locator('.figures dd').first().textContent()).toBe('76')
  expect(await page.getByRole('link', { name: 'All 76 records' }).count()).toBe(1)
  expect(await page.locator('.tiles li').count()).toBe(3)
})

inBrowser('the node: what it holds, and what arrives appears while one looks', async () => {
  const page = await open('/node')
  const status = await (await fetch(`${http.url}/v1/status`)).json()
  expect(await page.locator('#state').textContent()).toContain(status.root)
  expect(await page.locator('.badges').textContent()).toContain('no peer connected')
  await page.locator('[data-live=on]').waitFor()
  await http.call('POST', '/v1/services', { name: 'just-arrived', description: 'It came while the page was open.' })
  await page.locator('.feed li', { hasText: 'just-arrived' }).waitFor()
  await page.locator('.feed a', { hasText: 'just-arrived' }).click()
  await page.locator('h1', { hasText: 'just-arrived' }).waitFor()
  // And an open record says when it has changed.
  const [id] = page.url().split('/').slice(-1)
  await page.locator('[data-live=on]').waitFor()
  await http.call('PATCH', `/v1/services/${id}`, { version: '2' }, { 'content-type': 'application/merge-patch+json' })
  await page.getByText('This record has changed').click()
  await page.locator('#facts', { hasText: 'Version' }).waitFor()
  await http.call('DELETE', `/v1/services/${id}`)
})

inBrowser('without a script everything can be read, searched, filtered and sorted', async () => {
  const page = await open('/', { javaScriptEnabled: false })
  await page.locator('#q').fill('small')
  await page.getByRole('button', { name: 'Search' }).click()
  expect(await page.locator('#found').textContent()).toContain('70 records for small')
  await page.locator('.facet').getByText('MIT').click()
  expect(await page.locator('#found').textContent()).toContain('14 records for small')
  await page.locator('#sort').selectOption('name')
  await page.getByRole('button', { name: 'Apply' }).click()
  expect(await page.locator(`${cards} h3`).first().textContent()).toBe('small-model-0')
  expect(await page.locator('#found').textContent()).toContain('14 records for small')
  await page.locator(`${cards} h3 a`).first().click()
  expect(await page.locator('#text-description').textContent()).toContain('translation')
  expect(await page.locator('.copy:visible').count()).toBe(0)
  await page.getByRole('link', { name: 'Node', exact: true }).click()
  expect(await page.locator('.feed li').count()).toBeGreaterThan(10)
})

inBrowser(
  'names that are not what they look like are flagged, invalid fields marked, and all is isolated',
  async () => {
    const page = await open(`/models/${http.odd}`)
    const flag = await page.locator('h1 .flag').textContent()
    expect(flag).toContain('Latin and Cyrillic')
    expect(flag).toContain('direction')
    expect(await page.locator('h1 bdi').evaluate((name) => getComputedStyle(name).unicodeBidi)).toBe('isolate')
    await page.goto('/?q=wrong&kind=model')
    await page.locator(`${cards} h3 a`).first().click()
    await page.locator('#fields').waitFor()
    expect(await page.locator('.invalid').textContent()).toContain('Invalid')
    expect(await page.locator('#fields tr', { hasText: 'my-own-field' }).textContent()).toContain('not in the table')
  },
)

inBrowser('the keyboard reaches everything in order, and shows where it is', async () => {
  const page = await open('/')
  await page.keyboard.press('Tab')
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content')
  await page.keyboard.press('Enter')
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
  await page.keyboard.press('Tab')
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('q')
  await page.keyboard.type('hammer')
  await page.locator('#found', { hasText: '1 record' }).waitFor()
  // To the one card, by Tab alone.
  for (let n = 0; n < 40; n++) {
    await page.keyboard.press('Tab')
    if (await page.evaluate(() => document.activeElement?.matches('.card h3 a'))) break
  }
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement as Element, '::after').outlineStyle)
  expect(outline).toBe('solid')
  await page.keyboard.press('Enter')
  await page.locator('h1', { hasText: 'hammer' }).waitFor()
})

inBrowser('nothing is wider than the page, from 320 px to 4K', async () => {
  const page = await open('/')
  const paths = [
    '/?kind=model&q=small',
    `/models/${http.disputed}`,
    `/publishers/${http.other}`,
    '/node',
    '/nothing-here',
  ]
  for (const path of paths) {
    await page.goto(path)
    for (const width of [320, 768, 1280, 3840]) {
      await page.setViewportSize({ width, height: 800 })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth)
      expect(wide, `${path} at ${width}`).toBeLessThanOrEqual(width)
    }
  }
})

inBrowser('a phone shows what there is to know at a glance first, and fields as wide as the page', async () => {
  const page = await open(`/models/${http.disputed}`, { viewport: { width: 390, height: 800 } })
  const box = (part: string) =>
    page
      .locator(part)
      .first()
      .evaluate((element) => element.getBoundingClientRect().toJSON())
  const [facts, description, field] = [await box('#facts'), await box('#text-description'), await box('.fields td')]
  expect(facts.top).toBeLessThan(description.top)
  expect(field.width).toBeGreaterThan(300)
})

inBrowser('light and dark follow the system, and so does the wish for less motion', async () => {
  for (const [colorScheme, ground] of [
    ['light', 'rgb(246, 246, 248)'],
    ['dark', 'rgb(16, 18, 24)'],
  ] as const) {
    const page = await open('/', { colorScheme, reducedMotion: 'reduce' })
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe(ground)
    expect(
      await page
        .locator('.card')
        .first()
        .evaluate((card) => getComputedStyle(card).transitionDuration),
    ).toBe('0s')
  }
})
