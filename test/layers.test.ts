/**
 * The tree tells the architecture: crdt <- node <- api <- src. A folder imports from folders to its left, through
 * their index.ts only; scripts and tests may import anything, and nothing imports them. crdt/ is pure.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const LAYERS = ['crdt', 'node', 'api', 'src'] as const
const CRDT_PACKAGES = ['@noble/hashes', '@noble/ed25519', 'yjs', 'multiformats']

type File = { readonly path: string; readonly text: string; readonly imports: readonly string[] }

function filesOf(folder: string): File[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') || name.endsWith('.js'))
    .map((name) => {
      const path = join(folder, name)
      const text = readFileSync(join(root, path), 'utf8')
      return { path, text, imports: importsOf(text) }
    })
}

function importsOf(text: string): string[] {
  const code = withoutComments(text)
  const found = [...code.matchAll(/\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g)]
  return found.map((match) => (match[1] ?? match[2]) as string)
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
}

/** The folder an import leads to and the file in it, or undefined for a package. */
function target(file: File, specifier: string): { folder: string; path: string } | undefined {
  if (!specifier.startsWith('.')) return undefined
  const path = relative(root, resolve(root, dirname(file.path), specifier))
  return { folder: path.split('/')[0] as string, path }
}

test.each(LAYERS)('%s/ imports only from folders to its left, through their index.ts', (folder) => {
  const wrong: string[] = []
  for (const file of filesOf(folder)) {
    for (const specifier of file.imports) {
      const to = target(file, specifier)
      if (to === undefined || to.folder === folder || to.path === 'package.json') continue
      const left = LAYERS.slice(0, LAYERS.indexOf(folder)) as readonly string[]
      if (!left.includes(to.folder) || to.path !== `${to.folder}/index.ts`) wrong.push(`${file.path} -> ${specifier}`)
    }
  }
  expect(wrong).toEqual([])
})

test('crdt/ imports only its few packages, and no builtin', () => {
  const wrong: string[] = []
  for (const file of filesOf('crdt')) {
    for (const specifier of file.imports) {
      if (specifier.startsWith('.')) continue
      if (!CRDT_PACKAGES.some((name) => specifier === name || specifier.startsWith(`${name}/`))) {
        wrong.push(`${file.path} -> ${specifier}`)
      }
    }
  }
  expect(wrong).toEqual([])
})

test('crdt/ has no clock, chance, waiting, or process', () => {
  const impure =
    /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\basync\b|\bawait\b|\bprocess\.|\bperformance\.|\bsetTimeout\b|\blocaleCompare\b|\bIntl\.|\bBuffer\b|\bcrypto\./
  const wrong = filesOf('crdt').flatMap((file) => {
    const found = impure.exec(withoutComments(file.text))
    return found ? [`${file.path}: ${found[0]}`] : []
  })
  expect(wrong).toEqual([])
})

test('no file outside crdt/kinds names a kind', async () => {
  const { kinds } = await import('../crdt/index.ts')
  const names = Object.values(kinds).flatMap((kind) => [kind.name, kind.plural])
  const literal = new RegExp(`(?<![\\w.])(['"\`])(${names.join('|')})\\1`)
  const data = ['crdt/kinds/', 'src/sample']
  const wrong = LAYERS.flatMap(filesOf)
    .filter((file) => !data.some((prefix) => file.path.startsWith(prefix)))
    .flatMap((file) => {
      const found = literal.exec(withoutComments(file.text))
      return found ? [`${file.path}: ${found[0]}`] : []
    })
  expect(wrong).toEqual([])
})

test('no test is left out on purpose', () => {
  const wrong = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) =>
      /\b(test|it|describe)\.(only|todo)\b/.test(withoutComments(readFileSync(join(root, 'test', name), 'utf8'))),
    )
  expect(wrong).toEqual([])
})
