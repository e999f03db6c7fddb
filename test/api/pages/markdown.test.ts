import { expect, test } from 'vitest'
import { markdown } from '../../../api/pages/markdown.ts'

const rendered = (text: string) => String(markdown(text))

test('renders what people write', () => {
  const html = rendered('# One\n\n## Two\n\n**bold** `code` https://example.org\n\n| a |\n| - |\n| b |\n\n- x\n- y\n')
  expect(html).toContain('<h3>One</h3>')
  expect(html).toContain('<h4>Two</h4>')
  expect(html).toContain('<strong>bold</strong>')
  expect(html).toContain(
    '<a href="https://example.org/" rel="nofollow noopener noreferrer ugc">https://example.org</a>',
  )
  expect(html).toContain('<td>b</td>')
  expect(html).toContain('<li>y</li>')
})

test('what would run, load, restyle or lead elsewhere is taken out', () => {
  const html = rendered(
    [
      '<script>alert(1)</script><style>*{display:none}</style><img src="https://example.org/x.png" alt="x">',
      '<a href="javascript:alert(1)">a</a> <a href="data:text/html,x">b</a> <a href="//example.org">c</a> <a href="/node">d</a>',
      '<p style="position:fixed" class="card" id="main" onclick="alert(1)" hx-get="/node">e</p>',
      '<iframe src="https://example.org"></iframe><form action="https://example.org"><input name="q"></form>',
      '<svg onload="alert(1)"><a xlink:href="javascript:alert(1)">f</a></svg><math><mi>g</mi></math>',
      '[h](javascript:alert(1)) [i](https://user:password@example.org/)',
    ].join('\n\n'),
  )
  expect(html).not.toMatch(/<(script|style|img|iframe|form|input|svg|math)/i)
  expect(html).not.toMatch(
    /\s(style|class|id|on\w+|hx-\w+|xlink:href)=/i.exec(html.replace(/^<div[^>]*>/, '')) ? /./ : /^$/,
  )
  expect(html.match(/href="[^"]*"/g)).toEqual(['href="https://example.org/x.png"'])
  expect(html).toContain('picture: x')
})

test('hostile nesting and length end in an answer of bounded size', () => {
  for (const text of [
    '> '.repeat(20_000),
    '['.repeat(50_000),
    '*a_'.repeat(20_000),
    '<b>'.repeat(20_000),
    `x${'`'.repeat(50_000)}`,
  ]) {
    const start = process.cpuUsage()
    const html = rendered(text)
    expect(html.length).toBeLessThan(2_000_000)
    // Not a figure, but a ceiling far above it: what grows with the square takes minutes.
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(20_000)
  }
  expect(rendered('word '.repeat(20_000))).toContain('more characters in the JSON')
})
