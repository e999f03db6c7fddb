/** Every page, in light and dark, without a violation of the rules that axe knows. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { browserMissing, browserNote, openBrowser, openPage } from '../../support/browser.ts'
import { type PageNode, startPageNode } from '../../support/page-node.ts'

type Result = { violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]; passes: unknown[] }

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

let http: PageNode
let browser: Browser
beforeAll(async () => {
  if (browserMissing) return
  http = await startPageNode()
  browser = await openBrowser()
})
afterAll(async () => {
  await browser?.close()
  await http?.[Symbol.asyncDispose]()
})

const PAGES: Readonly<Record<string, () => string>> = {
  catalogue: () => '/',
  'a search with chosen filters': () => '/?kind=model&q=small&license=MIT&tags=tiny',
  'a search without results': () => '/?kind=agent&q=xyzzyplugh&license=MIT',
  'a record in conflict': () => `/models/${http.disputed}`,
  'a deleted record': () => `/agents/${http.deleted}`,
  'a record with an odd name': () => `/models/${http.odd}`,
  history: () => `/models/${http.disputed}/history`,
  publisher: () => `/publishers/${http.other}`,
  node: () => '/node',
  'a page that is not there': () => '/nothing-here',
}

test.skipIf(browserMissing).each(['light', 'dark'] as const)(
  `no page has a violation, in %s${browserNote}`,
  async (colorScheme) => {
    const { page, trouble } = await openPage(browser, http.url, { colorScheme, reducedMotion: 'reduce' })
    for (const [name, path] of Object.entries(PAGES)) {
      await page.goto(path())
      // What is closed is looked at too.
      await page.evaluate(() => {
        for (const details of document.querySelectorAll('details')) details.open = true
      })
      await page.evaluate(axe)
      // Only colours depend on the scheme: in dark the other rules would look at the same again.
      const run =
        colorScheme === 'dark' ? "axe.run({ runOnly: ['color-contrast', 'link-in-text-block'] })" : 'axe.run()'
      const { violations, passes } = (await page.evaluate(run)) as Result
      const said = violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`)
      expect(said, name).toEqual([])
      expect(passes.length).toBeGreaterThan(colorScheme === 'dark' ? 0 : 10)
    }
    expect(trouble).toEqual([])
  },
)
