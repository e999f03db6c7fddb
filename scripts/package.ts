/**
 * Builds what goes to npm, in dist/package: the sources as JavaScript with their declarations, in the same tree, and a
 * package.json of its own. The checkout runs from the sources and is not packed itself, so nothing has to be built to
 * work on it.
 *
 *   npm run package                 dist/package
 *   npm run package -- --pack       and dist/peerage-<version>.tgz beside it, whose path is the last line printed
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const target = join(root, 'dist/package')
const FOLDERS = ['crdt', 'node', 'api', 'src']
/** What belongs to the program besides the compiled sources. */
const OTHERS = ['README.md', 'CHANGELOG.md', 'LICENSE', 'scripts/deploy']

rmSync(target, { recursive: true, force: true })
execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'scripts/tsconfig.package.json'], {
  cwd: root,
  stdio: 'inherit',
})
for (const file of filesBesideSources()) copy(file)
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

/** Pages' assets, specifications, and the door, which is JavaScript already. */
function filesBesideSources(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
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
  const built = door.replace("import('./cli.ts')", "import('./cli.js')")
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
