/**
 * The words of a filter: names and values, quoted texts, signs. Any text can be cut into them but one whose quote is
 * never closed; what they say is for filter.ts.
 */
export type Token = {
  readonly is: 'word' | 'quoted' | 'sign' | 'end'
  /** Of a quoted text what stands in the quotes. */
  readonly text: string
  /** Where it begins and where it is over, in UTF-16 units. */
  readonly at: number
  readonly end: number
}
export type Tokens = { readonly tokens: readonly Token[] } | { readonly unclosed: number }

const SPACE = /\s+/y
const SIGN = /<=|>=|!=|==|[=<>(),]/y
/** A quote within a word is a letter of it. */
const WORD = /(?:(?!!=)[^\s=<>(),])+/y

/** The last token is the end. */
export function tokensOf(text: string): Tokens {
  const tokens: Token[] = []
  let at = 0
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  for (;;) {
    at += match(SPACE)?.length ?? 0
    if (at >= text.length) break
    const quote = text[at]
    if (quote === '"' || quote === "'") {
      const read = quoted(text, at)
      if (read === undefined) return { unclosed: at }
      tokens.push({ is: 'quoted', text: read.text, at, end: read.end })
      at = read.end
      continue
    }
    const sign = match(SIGN)
    const found = sign ?? (match(WORD) as string)
    tokens.push({ is: sign === undefined ? 'word' : 'sign', text: found, at, end: at + found.length })
    at += found.length
  }
  tokens.push({ is: 'end', text: '', at: text.length, end: text.length })
  return { tokens }
}

/** A backslash takes the character behind it as it is. */
function quoted(text: string, start: number): { readonly text: string; readonly end: number } | undefined {
  let read = ''
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === text[start]) return { text: read, end: at + 1 }
    if (text[at] === '\\') at++
    read += text[at] ?? ''
  }
  return undefined
}
