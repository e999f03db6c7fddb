/**
 * Debian's chromium, driven by playwright-core. Where it is missing, tests that need it are left out and their names
 * say so. A page that is opened here is watched: what breaks the policy, throws, or opens a dialog is written down.
 */
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const PATH = '/usr/bin/chromium'

export const browserMissing = !existsSync(PATH)
/** To be put behind a test's name. */
export const browserNote = browserMissing ? ` (left out: there is no ${PATH})` : ''

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: PATH, args: ARGS })
}

export type Watched = {
  readonly page: Page
  /** Policy violations, errors in scripts, dialogs, failed requests, requests to anywhere else. */
  readonly trouble: readonly string[]
}

export async function openPage(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({ baseURL: origin, ...options })
  const page = await context.newPage()
  const trouble: string[] = []
  // What the policy blocks is reported on the console; so is a page that says 404, which is none of our trouble.
  page.on('console', (message) => {
    const isLoad = message.text().startsWith('Failed to load resource')
    if ((message.type() === 'error' && !isLoad) || /Content.Security.Policy/i.test(message.text())) {
      trouble.push(message.text())
    }
  })
  page.on('response', (response) => {
    const isPage = response.request().isNavigationRequest()
    if (response.status() >= 400 && !isPage) trouble.push(`${response.status()} for ${response.url()}`)
  })
  page.on('pageerror', (error) => trouble.push(`threw: ${error.message}`))
  page.on('dialog', (dialog) => {
    trouble.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(origin)) trouble.push(`asked for ${request.url()}`)
  })
  return { page, trouble }
}
