/** JSON in the forms in which catalogues come: one object, a list of them, or one a line. */
import type { Part } from './converter.ts'
import { rawItems } from './raw-json.ts'

/** Throws SyntaxError for what is none of them. */
export function partsOf(text: string): readonly Part[] {
  const clean = text.startsWith('\ufeff') ? text.slice(1) : text
  let whole: unknown
  try {
    whole = JSON.parse(clean)
  } catch (error) {
    const lines = partsOfLines(clean)
    if (lines.length > 1) return lines
    throw error
  }
  return partsOfValue(whole, clean.trim())
}

/** The items of a list, or the one value, with their own texts. */
export function partsOfValue(value: unknown, raw: string, at = ''): readonly Part[] {
  if (!Array.isArray(value)) return [{ at, value, raw }]
  const texts = rawItems(raw)
  return value.map((item, n) => ({ at: `${at}/${n}`, value: item, raw: texts[n] as string }))
}

/** Nothing when the first line is no JSON: then it is another format, not one with a bad line. */
function partsOfLines(text: string): Part[] {
  const parts: Part[] = []
  for (const [n, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    try {
      parts.push({ at: `/${n}`, value: JSON.parse(line), raw: line.trim() })
    } catch {
      if (parts.length === 0) return []
      parts.push({ at: `/${n}`, value: undefined, raw: line })
    }
  }
  return parts
}
