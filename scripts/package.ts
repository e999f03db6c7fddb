/**
 * Builds what goes to npm, in dist/package: the sources as JavaScript with their declarations, in the same tree, and a
 * package.json of its own. The checkout runs from the sources and is not packed itself, so nothing has to be built to
 * work on it.
 *
 * A command of some milliseconds should not spend 200 on finding 150 files: crdt/ becomes one file, and the command line
 * a few in bundle/. Node, HTTP face and packages stay as they are and are shared, so nothing is there twice that keeps
 * anything.
 *
 *   npm run package                 dist/package
 *   npm run package -- --pack       and dist/peerage-<version>.tgz beside it, whose path is the last line printed
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { build } from 'rolldown'

const root = resolve(import.meta.dirname, '..')
const target = join(root, 'dist/package')
const FOLDERS = ['crdt', 'node', 'api', 'src']
/** What belongs to the program besides the compiled sources. */
const OTHERS = ['README.md', 'CHANGELOG.md', 'LICENSE', 'scripts/deploy']
/** Packages whose code goes into the bundles, with their licences beside it. */
const INLINED = ['commander', 'env-paths', 'ipaddr.js', 'is-safe-filename', 'yaml']
const INLINED_IN_CRDT = ['@noble/ed25519', '@noble/hashes', 'multiformats']

rmSync(target, { recursive: true, force: true })
execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'scripts/tsconfig.package.json'], {
  cwd: root,
  stdio: 'inherit',
})
await bundleCrdt()
await bundleCommands()
for (const file of filesBesideSources()) copy(file)
writeFileSync(join(target, 'bundle/LICENSES.txt'), [...INLINED, ...INLINED_IN_CRDT].map(licenceOf).join('\n\n'))
for (const path of OTHERS) cpSync(join(root, path), join(target, path.replace('scripts/', '')), { recursive: true })
writeFileSync(join(target, 'package.json'), `${JSON.stringify(publishedPackage(), null, 2)}\n`)
if (process.argv.includes('--pack')) {
  const packed = execFileSync(npm(), ['pack', '--json', '--ignore-scripts', '--pack-destination', join(root, 'dist')], {
    cwd: target,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }]
  console.log(join(root, 'dist', filename))
}

/** All of crdt/ in one file, under the name by which everybody enters it. Yjs may be in only one place of a process. */
async function bundleCrdt(): Promise<void> {
  const folder = join(target, 'crdt')
  const isInlined = (id: string) => INLINED_IN_CRDT.some((name) => id === name || id.startsWith(`${name}/`))
  const external = (id: string) => !/^[./]/.test(id) && !isInlined(id)
  const output = { file: join(folder, 'bundled.js') }
  // Neutral: what comes out runs in a browser as well. Some packages name their file in `main` only.
  const resolve = { mainFields: ['module', 'main'] }
  await build({ input: join(folder, 'index.js'), external, platform: 'neutral', resolve, output, logLevel: 'warn' })
  for (const file of filesIn(folder)) if (file.endsWith('.js') && file !== output.file) rmSync(file)
  renameSync(output.file, join(folder, 'index.js'))
}

/** The command line; what a command loads when it runs is a file of its own. */
async function bundleCommands(): Promise<void> {
  const src = join(target, 'src')
  const shared = ['crdt/index.js', 'node/index.js', 'api/index.js', 'src/main.js'].map((file) => join(target, file))
  const inside = new Set(INLINED)
  await build({
    input: join(src, 'cli.js'),
    platform: 'node',
    external: (id, from) => {
      if (id.startsWith('node:')) return true
      if (!id.startsWith('.') && !id.startsWith('/')) return !inside.has(id)
      return shared.includes(resolve(dirname(from ?? ''), id))
    },
    output: {
      dir: join(target, 'bundle'),
      entryFileNames: '[name].js',
      chunkFileNames: '[name]-[hash].js',
      paths: (id) => (id.startsWith(target) ? relative(join(target, 'bundle'), id).replaceAll('\\', '/') : id),
    },
    logLevel: 'warn',
  })
  rmSync(join(src, 'cli.js'))
  for (const file of filesIn(join(src, 'cli'))) if (file.endsWith('.js')) rmSync(file)
}

function licenceOf(name: string): string {
  const folder = join(root, 'node_modules', name)
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  const files = readdirSync(folder).filter((file) => /^licen[cs]e/i.test(file))
  if (files.length === 0) throw new Error(`${name} has no licence file to put beside its code`)
  return `${name} ${version}\n\n${files.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n')}\n`
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Pages' assets, specifications, and the door, which is JavaScript already. */
function filesBesideSources(): string[] {
  return FOLDERS.flatMap((folder) =>
    filesIn(join(root, folder))
      .filter((file) => !file.endsWith('.ts'))
      .map((file) => file.slice(root.length + 1)),
  )
}

function copy(file: string): void {
  const to = join(target, file)
  mkdirSync(dirname(to), { recursive: true })
  if (file !== 'src/bin.js') {
    copyFileSync(join(root, file), to)
    return
  }
  const door = readFileSync(join(root, file), 'utf8')
  const built = door.replace("import('./cli.ts')", "import('../bundle/cli.js')")
  if (built === door) throw new Error('src/bin.js no longer loads ./cli.ts, so the package would not start')
  writeFileSync(to, built)
  chmodSync(to, 0o755)
}

function publishedPackage(): Record<string, unknown> {
  const { name, version, description, license, type, engines, dependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  ) as Record<string, unknown>
  const entry = (path: string) => ({ types: `${path}.d.ts`, default: `${path}.js` })
  return {
    name,
    version,
    description,
    license,
    type,
    engines,
    bin: { peerage: 'src/bin.js' },
    exports: { '.': entry('./src/index'), './crdt': entry('./crdt/index'), './package.json': './package.json' },
    dependencies,
  }
}

/** The npm that runs this script, or the one in the path. */
function npm(): string {
  return process.platform === 'win32' ? 'npm.cmd' : 'npm'
}
