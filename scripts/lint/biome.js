#!/usr/bin/env node
// Runs the linter's binary for this platform, with what was given to us.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'

const name = `@biomejs/cli-${process.platform}-${process.arch}`
let binary
try {
  binary = createRequire(import.meta.url).resolve(`${name}/biome`)
} catch {
  console.error(`the linter is not installed for this platform (${name})`)
  process.exit(1)
}
const { status, error } = spawnSync(binary, process.argv.slice(2), { stdio: 'inherit' })
if (error) console.error(error.message)
process.exit(status ?? 1)
