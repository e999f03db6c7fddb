/**
 * Names that may not be what they look like: words that mix scripts whose letters look alike, characters that turn the
 * direction of text, and characters that cannot be seen. For people; nothing is refused or changed for it.
 *
 * `skeleton` brings names that look alike to one text, by a small table of the letters that are confused most. It is a
 * hint, not a proof: the whole list of confusables has thousands of entries.
 */

const SCRIPTS = [
  ['Latin', /\p{Script=Latin}/u],
  ['Greek', /\p{Script=Greek}/u],
  ['Cyrillic', /\p{Script=Cyrillic}/u],
  ['Armenian', /\p{Script=Armenian}/u],
  ['Hebrew', /\p{Script=Hebrew}/u],
  ['Arabic', /\p{Script=Arabic}/u],
  ['Cherokee', /\p{Script=Cherokee}/u],
  ['Georgian', /\p{Script=Georgian}/u],
] as const satisfies readonly (readonly [string, RegExp])[]

const WORDS = /[\p{L}\p{M}\p{N}]+/gu
const TURNS = /[\u202a-\u202e\u2066-\u2069]/
// Joiners stand in emoji and in several scripts for good reason, so they are none of these.
const UNSEEN = /[\u00ad\u115f\u1160\u180e\u200b\u2060-\u2064\u3164\ufeff\uffa0\u{e0000}-\u{e007f}]/u
const MARKS_STACKED = /\p{M}{4,}/u

/** What is odd about a name, in words that follow "this name"; nothing for nearly all. */
export function oddities(name: string): string[] {
  // The ASCII of nearly all names needs no closer look.
  if (/^[\x20-\x7e]*$/.test(name)) return []
  const odd: string[] = []
  const mixed = mixedScripts(name)
  if (mixed !== undefined) odd.push(`mixes ${mixed.join(' and ')} letters in a word`)
  if (TURNS.test(name)) odd.push('turns the direction of text')
  if (UNSEEN.test(name)) odd.push('holds characters that cannot be seen')
  if (MARKS_STACKED.test(name)) odd.push('stacks marks on a letter')
  return odd
}

/** The scripts that one word mixes. Latin beside Chinese, Japanese or Korean is how those write names. */
function mixedScripts(name: string): string[] | undefined {
  for (const [word] of name.matchAll(WORDS)) {
    const found = SCRIPTS.filter(([, script]) => script.test(word)).map(([script]) => script)
    if (found.length > 1) return found
  }
  return undefined
}

/** Cyrillic, Greek, and signs that stand for letters: each with the letter under it. */
const LOOKS_LIKE = pairs(
  'авсԁеһіјкӏмнорԛѕтуѵԝхёї' + 'αβεηικνορτυχωγ' + '01|$ıłøđ',
  'abcdehijklmhopqstyvwxei' + 'abenikvoptuxwy' + 'ollsilod',
)

function pairs(these: string, look: string): ReadonlyMap<string, string> {
  const letters = [...look]
  return new Map([...these].map((letter, at) => [letter, letters[at] as string]))
}

/** Equal for names that are easily taken for each other. */
export function skeleton(name: string): string {
  return [...name.normalize('NFKC').toLowerCase().normalize('NFD')]
    .filter((letter) => !/[\p{M}\p{Cf}\s_.-]/u.test(letter))
    .map((letter) => LOOKS_LIKE.get(letter) ?? letter)
    .join('')
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
}
