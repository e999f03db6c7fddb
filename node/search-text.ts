/**
 * From text to words: what the index stores and what a query asks for, by one rule on both sides.
 *
 * A word is a run of letters and digits, lower case, without diacritics. Runs that mix letters and digits or cases
 * also give their parts (`VirusTotal`: virus, total), neighbours inside one name also give their sum (`home-assistant`:
 * homeassistant), dotted numbers their number (`3.1`), and English words their stem. Scripts written without spaces
 * give single characters and pairs, since no dictionary is at hand. Nothing a user types is ever read as a search
 * operator, but quotes around a phrase (search-phrase.ts).
 */
import { queryTermsMax, searchWordCharsMax } from './limits.ts'

/** Marks a stem, and joins the parts of a dotted number: no run contains it, so no text can imitate either. */
const DOT = '\u00b7'
const RUNS = /[\p{L}\p{N}\p{M}]+|\p{Extended_Pictographic}/gu
const UNSPACED =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\u30fc]+/gu
const PARTS = /\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{Lo}\p{Lm}\p{M}]+|\p{N}+/gu
const STEMMED = /^[a-z]{4,}$/
const ASCII = /^[\0-\x7f]*$/
/** Words that say nothing by themselves; left out of a query that has others. */
const STOP_WORDS = new Set(
  (
    'a an and any are as at be by can do does for from has have how i in into is it its me my of on or our ' +
    'so some that the their them then this to us was we what when which who will with you your'
  ).split(' '),
)
const SUFFIXES =
  'ations ation ating ators ator ated ates ate ments ment ings ing ions ion ors or ers er ies ied ed es ly s y e'.split(
    ' ',
  )

/** One word as a query asks for it. A record has the term when, of any of `ways`, it has all words of one of `anyOf`. */
export type Term = {
  /** As typed, lower case: what highlights and corrections start from. */
  readonly text: string
  readonly ways: readonly { readonly anyOf: readonly (readonly string[])[]; readonly quality: number }[]
  /** Matches as the beginning of a word too: the term is still being typed. */
  readonly prefix: boolean
  /** In a script without spaces, or a number: neither completed nor corrected. */
  readonly fixed: boolean
}

/** Compatibility forms made one, and the accents of European scripts dropped; case kept. */
function plain(text: string): string {
  if (ASCII.test(text)) return text
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]|[\u00ad\u200b-\u200d]|\ufe0f/g, '')
    .normalize('NFKC')
}

/** The text with nothing but its letters and digits: equal for all spellings of one name. */
export function joined(text: string): string {
  return plain(text).toLowerCase().match(RUNS)?.join('') ?? ''
}

/** The runs of a text in order, lower case; characters of scripts without spaces one by one. What phrases compare. */
export function tokensOf(text: string): string[] {
  return (plain(text).match(RUNS) ?? []).flatMap((run) =>
    ASCII.test(run)
      ? [run.toLowerCase()]
      : segments(run).flatMap((segment) => {
          const lower = segment.text.toLowerCase()
          return segment.unspaced ? [...lower] : [lower]
        }),
  )
}

/** The common beginning of a word's English forms, or the word itself when it has none worth the name. */
export function stem(word: string): string {
  if (!STEMMED.test(word)) return word
  for (const suffix of SUFFIXES) {
    if (word.length - suffix.length >= (suffix.length === 1 ? 3 : 4) && word.endsWith(suffix)) {
      const rest = word.slice(0, -suffix.length)
      // A doubled consonant before the ending belongs to the ending: planning, plan.
      return /([bdfgkmnprt])\1$/.test(rest) && suffix.length > 1 ? rest.slice(0, -1) : rest
    }
  }
  return word
}

/** Where words go: a set of them, or what counts them as one does and may take those of a run at once. */
export type WordSink = { readonly size: number; add(word: string): unknown; addRun?(run: Run): void }

/**
 * Adds the words of `text` to `into`, until it holds `max`. With `names`, also the sums of neighbours, which let
 * other spacings of a name match.
 */
export function addWords(text: string, into: WordSink, max: number, names = false): void {
  let before = ''
  let beforeEnd = -2
  let numberBefore = ''
  const source = plain(text)
  const next = ASCII.test(source) ? asciiRuns(source) : otherRuns(source)
  for (let found = next(); found; found = next()) {
    if (into.size >= max) return
    const { run, at } = found
    const adjacent = at - beforeEnd === 1 && source[beforeEnd] !== ' '
    const dotted = adjacent && source[beforeEnd] === '.'
    beforeEnd = at + run.length
    const known = runOf(run)
    const { word, numberFirst, numberLast } = known
    if (into.addRun) into.addRun(known)
    else for (const each of known.words) into.add(each)
    if (dotted && numberBefore && numberFirst) into.add(numberBefore + DOT + numberFirst)
    if (names && adjacent && before && word) into.add((before + word).slice(0, searchWordCharsMax))
    numberBefore = numberLast
    before = word
  }
}

type FoundRun = { run: string; at: number }

function otherRuns(source: string): () => FoundRun | undefined {
  const matches = source.matchAll(RUNS)
  return () => {
    const match = matches.next().value
    return match && { run: match[0], at: match.index }
  }
}

/** The same for plain text, of which there is most: three times as fast as the expression. */
function asciiRuns(source: string): () => FoundRun | undefined {
  let at = 0
  return () => {
    while (at < source.length && !isAsciiWord(source.charCodeAt(at))) at++
    if (at === source.length) return undefined
    const from = at
    while (at < source.length && isAsciiWord(source.charCodeAt(at))) at++
    return { run: source.slice(from, at), at: from }
  }
}

function isAsciiWord(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57)
}

/** What one run of letters and digits gives by itself. */
export type Run = {
  /** Missing of a run in a script without spaces. */
  readonly word: string
  readonly words: readonly string[]
  readonly numberFirst: string
  readonly numberLast: string
  /** For whoever takes runs: its own numbers for the words, and who it is. */
  numbers: readonly number[]
  numbersOf: number
}

/** Few runs make most of all text: what they give is kept. Cleared when full. */
const runs = new Map<string, Run>()
const RUNS_KEPT = 65_536

function runOf(run: string): Run {
  const kept = runs.get(run)
  if (kept) return kept
  // A part of a text keeps all of it in memory, a copy does not.
  const own = Buffer.from(run, 'utf16le').toString('utf16le')
  const made = readRun(own)
  if (runs.size >= RUNS_KEPT) runs.clear()
  if (run.length <= searchWordCharsMax) runs.set(own, made)
  return made
}

function readRun(run: string): Run {
  const words = new Set<string>()
  if (!ASCII.test(run) && run.match(UNSPACED)) {
    addUnspaced(run, words)
    return { word: '', words: [...words], numberFirst: '', numberLast: '', numbers: [], numbersOf: 0 }
  }
  const word = run.toLowerCase().slice(0, searchWordCharsMax)
  const parts = partsOf(run)
  words.add(word)
  if (parts.length > 1) for (const part of parts) if (part.length > 1 || isNumber(part)) words.add(part)
  for (const each of [...words]) {
    const root = stem(each)
    if (root !== each) words.add(DOT + root)
  }
  const first = parts[0] ?? ''
  const last = parts.at(-1) ?? ''
  return {
    word,
    words: [...words],
    numberFirst: isNumber(first) ? first : '',
    numberLast: isNumber(last) ? last : '',
    numbers: [],
    numbersOf: 0,
  }
}

/** The terms of a query: at most `queryTermsMax`, else `undefined`. None when it has no word at all. */
export function termsOf(query: string): Term[] | undefined {
  const source = plain(query)
  const terms: Term[] = []
  let beforeEnd = -2
  let numberBefore = ''
  for (const match of source.matchAll(RUNS)) {
    const dotted = match.index - beforeEnd === 1 && source[beforeEnd] === '.'
    const run = match[0]
    beforeEnd = match.index + run.length
    if (!ASCII.test(run) && run.match(UNSPACED)) {
      numberBefore = ''
      for (const segment of segments(run)) {
        if (segment.unspaced) terms.push(...unspacedTerms(segment.text))
        else terms.push(term(segment.text, numberBefore))
      }
    } else {
      const parts = partsOf(run)
      const first = parts[0] ?? ''
      terms.push(term(run, dotted && isNumber(first) ? numberBefore : ''))
      const last = parts.at(-1) ?? ''
      numberBefore = isNumber(last) ? last : ''
    }
    if (terms.length > queryTermsMax) return undefined
  }
  const typing = beforeEnd === source.length
  const said = terms.filter((each) => !STOP_WORDS.has(each.text))
  const kept = said.length > 0 ? said : terms
  const last = kept.at(-1)
  if (last && typing && last === terms.at(-1) && !last.fixed && last.text.length > 1) {
    kept[kept.length - 1] = { ...last, prefix: true }
  }
  return distinct(kept)
}

function term(run: string, numberBefore: string): Term {
  const text = run.toLowerCase().slice(0, searchWordCharsMax)
  const parts = partsOf(run).filter((part) => part.length > 1 || isNumber(part))
  const ways: { anyOf: string[][]; quality: number }[] = []
  if (numberBefore) {
    ways.push({ anyOf: [[numberBefore + DOT + text]], quality: 1 }, { anyOf: [[text]], quality: 0.5 })
  } else {
    ways.push({ anyOf: [[text]], quality: 1 })
  }
  if (parts.length > 1) ways.push({ anyOf: [parts], quality: 0.9 })
  if (STEMMED.test(text)) {
    const root = stem(text)
    ways.push({ anyOf: root === text ? [[DOT + root]] : [[DOT + root], [root]], quality: 0.75 })
  }
  return { text, ways, prefix: false, fixed: isNumber(text) }
}

function unspacedTerms(text: string): Term[] {
  const pairs = pairsOf([...text.toLowerCase()])
  return pairs.map((pair) => ({ text: pair, ways: [{ anyOf: [[pair]], quality: 1 }], prefix: false, fixed: true }))
}

function addUnspaced(run: string, into: Set<string>): void {
  for (const segment of segments(run)) {
    if (!segment.unspaced) {
      into.add(segment.text.toLowerCase().slice(0, searchWordCharsMax))
      continue
    }
    const characters = [...segment.text.toLowerCase()]
    for (const character of characters) into.add(character)
    if (characters.length > 1) for (const pair of pairsOf(characters)) into.add(pair)
  }
}

function pairsOf(characters: readonly string[]): string[] {
  if (characters.length < 2) return [...characters]
  return characters.slice(1).map((character, i) => (characters[i] as string) + character)
}

function segments(run: string): { text: string; unspaced: boolean }[] {
  const found: { text: string; unspaced: boolean }[] = []
  let at = 0
  for (const match of run.matchAll(UNSPACED)) {
    if (match.index > at) found.push({ text: run.slice(at, match.index), unspaced: false })
    found.push({ text: match[0], unspaced: true })
    at = match.index + match[0].length
  }
  if (at < run.length) found.push({ text: run.slice(at), unspaced: false })
  return found
}

/** Letters and digits apart, and the humps of camel case; one entry when there is nothing to part. */
function partsOf(run: string): string[] {
  return (run.match(PARTS) ?? [run]).map((part) => part.toLowerCase())
}

function isNumber(text: string): boolean {
  return /^\p{N}+$/u.test(text)
}

function distinct(terms: readonly Term[]): Term[] {
  const seen = new Map<string, Term>()
  for (const each of terms) {
    const key = each.ways[0]?.anyOf[0]?.join(' ') ?? each.text
    const known = seen.get(key)
    if (!known || (each.prefix && !known.prefix)) seen.set(key, each)
  }
  return [...seen.values()]
}
