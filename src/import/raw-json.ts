/**
 * The text of a part of a JSON document, as it stands there: what was signed or published is kept character for
 * character, which a value that was parsed and written again is not. Only for text that JSON.parse has taken.
 */

/** The text of the value at a path of keys; undefined when there is none. */
export function rawAt(text: string, path: readonly string[]): string | undefined {
  let at = skipSpace(text, 0)
  for (const key of path) {
    const found = [...members(text, at)].findLast((member) => member.key === key)
    if (found === undefined) return undefined
    at = found.start
  }
  return text.slice(at, endOfValue(text, at))
}

/** The texts of the items of an array, in order. */
export function rawItems(text: string): string[] {
  return [...members(text, skipSpace(text, 0))].map(({ start, end }) => text.slice(start, end))
}

type Member = { readonly key: string | undefined; readonly start: number; readonly end: number }

/** What is directly inside the object or array that begins at `at`. */
function* members(text: string, at: number): Generator<Member> {
  const isObject = text[at] === '{'
  if (!isObject && text[at] !== '[') return
  for (let next = skipSpace(text, at + 1); next < text.length && text[next] !== '}' && text[next] !== ']'; ) {
    let key: string | undefined
    if (isObject) {
      const end = endOfString(text, next)
      key = JSON.parse(text.slice(next, end)) as string
      next = skipSpace(text, skipSpace(text, end) + 1)
    }
    const end = endOfValue(text, next)
    yield { key, start: next, end }
    next = skipSpace(text, end)
    if (text[next] === ',') next = skipSpace(text, next + 1)
  }
}

function endOfValue(text: string, start: number): number {
  if (text[start] === '"') return endOfString(text, start)
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const char = text[at] as string
    if (char === '"') at = endOfString(text, at) - 1
    else if (char === '{' || char === '[') depth++
    else if (char === '}' || char === ']') {
      // The end of what is around a number, true, false or null.
      if (depth === 0) return at
      if (--depth === 0) return at + 1
    } else if (depth === 0 && (char === ',' || isSpace(char))) return at
  }
  return text.length
}

/** Behind the closing quote. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  return text.length
}

function skipSpace(text: string, at: number): number {
  let next = at
  while (next < text.length && isSpace(text[next] as string)) next++
  return next
}

function isSpace(char: string): boolean {
  return char === ' ' || char === '\n' || char === '\r' || char === '\t'
}
