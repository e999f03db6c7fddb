/**
 * HTML or JSON: who asks for `text/html` by name gets a page, everybody else what programs get. A browser names it in
 * every navigation; curl, fetch and the clients send nothing or a wildcard, and are not surprised by markup.
 */

/** True when `Accept` names HTML, and names no JSON that it likes better. */
export function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined) return false
  let html = 0
  let json = 0
  // A header is at most 16 KiB, so is this list.
  for (const item of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim())
    const quality = qualityOf(parameters)
    if (type === 'text/html' || type === 'application/xhtml+xml') html = Math.max(html, quality)
    if (type === 'application/json' || type === 'application/problem+json') json = Math.max(json, quality)
  }
  return html > 0 && html >= json
}

function qualityOf(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => parameter.startsWith('q='))
  if (given === undefined) return 1
  const quality = Number(given.slice(2))
  return quality >= 0 && quality <= 1 ? quality : 0
}
