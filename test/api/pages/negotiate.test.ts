import { expect, test } from 'vitest'
import { prefersHtml } from '../../../api/pages/negotiate.ts'

test('browsers get pages; whoever does not name HTML gets what programs get', () => {
  const chromium = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'
  for (const accept of [chromium, 'text/html', 'application/xhtml+xml', 'TEXT/HTML ; q=0.5, */*;q=0.1']) {
    expect(prefersHtml(accept), accept).toBe(true)
  }
  for (const accept of [
    undefined,
    '',
    '*/*',
    'text/*',
    'application/json',
    'application/json, text/html;q=0.9',
    'text/html;q=0',
    'text/html;q=x',
    'text/html;q=2',
    'text/event-stream',
    'text/htmlx',
  ]) {
    expect(prefersHtml(accept), accept).toBe(false)
  }
})
