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
const NO_ASCII_WORD = /[^a-zA-Z0-9]+/g
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
  if (ASCII.test(text)) return text.replace(NO_ASCII_WORD, '').toLowerCase()
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
  const source = plain(text)
  const reader = new RunReader(source, into, max, names)
  if (ASCII.test(source)) readAscii(source, reader)
  else for (const { 0: run, index } of source.matchAll(RUNS)) if (!reader.add(runOf(run), index, run.length)) return
}

/** The same runs as the expression finds in plain text, of which there is most: none that is known is cut out of it. */
function readAscii(source: string, reader: RunReader): void {
  for (let at = 0; at < source.length; at++) {
    let code = source.charCodeAt(at)
    if (!isAsciiWord(code)) continue
    const from = at
    let hash = HASH_FROM
    do {
      hash = Math.imul(hash ^ code, HASH_BY)
      code = ++at < source.length ? source.charCodeAt(at) : 0
    } while (isAsciiWord(code))
    const run = runs.find(hash, source, from, at) ?? runOf(source.slice(from, at))
    if (!reader.add(run, from, at - from)) return
  }
}

function isAsciiWord(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57)
}

/** Takes the runs of a text in order, and remembers of each what the next needs. */
class RunReader {
  readonly #source: string
  readonly #into: WordSink
  readonly #max: number
  readonly #names: boolean
  #before = ''
  #beforeEnd = -2
  #numberBefore = ''

  constructor(source: string, into: WordSink, max: number, names: boolean) {
    this.#source = source
    this.#into = into
    this.#max = max
    this.#names = names
  }

  /** False when there is no room for more. */
  add(run: Run, at: number, length: number): boolean {
    const into = this.#into
    if (into.size >= this.#max) return false
    const end = this.#beforeEnd
    const between = at - end === 1 ? this.#source.charCodeAt(end) : BLANK
    const { word, numberFirst, numberLast } = run
    if (into.addRun) into.addRun(run)
    else for (const each of run.words) into.add(each)
    if (between === FULL_STOP && this.#numberBefore && numberFirst) into.add(this.#numberBefore + DOT + numberFirst)
    if (this.#names && between !== BLANK && this.#before && word) {
      into.add((this.#before + word).slice(0, searchWordCharsMax))
    }
    this.#numberBefore = numberLast
    this.#before = word
    this.#beforeEnd = at + length
    return true
  }
}

const BLANK = 0x20
const FULL_STOP = 0x2e

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
  /** As it was found. */
  readonly letters: string
}

const SLOTS = 65_536
const HASH_FROM = 0x811c9dc5
const HASH_BY = 0x01000193

/** Few runs make most of all text: what they give is kept, by their letters, until others take their places. */
class Runs {
  readonly #runs: (Run | undefined)[] = new Array(SLOTS).fill(undefined)

  /** Four places at most are looked at, so that nobody can make it slow. */
  find(hash: number, source: string, from: number, to: number): Run | undefined {
    for (let i = 0; i < PLACES; i++) {
      const run = this.#runs[(hash + i) & (SLOTS - 1)]
      if (run === undefined) return undefined
      const { letters } = run
      if (letters.length !== to - from) continue
      let same = 0
      while (same < letters.length && letters.charCodeAt(same) === source.charCodeAt(from + same)) same++
      if (same === letters.length) return run
    }
    return undefined
  }

  keep(hash: number, run: Run): void {
    let at = hash & (SLOTS - 1)
    for (let i = 1; i < PLACES && this.#runs[at] !== undefined; i++) at = (hash + i) & (SLOTS - 1)
    this.#runs[at] = run
  }
}

const PLACES = 4
const runs = new Runs()

function runOf(run: string): Run {
  let hash = HASH_FROM
  for (let i = 0; i < run.length; i++) hash = Math.imul(hash ^ run.charCodeAt(i), HASH_BY)
  const kept = runs.find(hash, run, 0, run.length)
  if (kept) return kept
  // A part of a text keeps all of it in memory, a copy does not.
  const own = Buffer.from(run, 'utf16le').toString('utf16le')
  const made = readRun(own)
  if (run.length <= searchWordCharsMax) runs.keep(hash, made)
  return made
}

function readRun(run: string): Run {
  const words = new Set<string>()
  if (!ASCII.test(run) && run.match(UNSPACED)) {
    addUnspaced(run, words)
    return { word: '', words: [...words], numberFirst: '', numberLast: '', numbers: [], numbersOf: 0, letters: run }
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
    letters: run,
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
