/** The unit, as far as it can be tried where systemd does not run: it is read, and its exposure is counted. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)
const unit = resolve(import.meta.dirname, '../../../scripts/deploy/peerage.service')
const has = existsSync('/usr/bin/systemd-analyze')

test('it runs node itself, as a user of its own, with what the program knows', async () => {
  const text = await readFile(unit, 'utf8')
  expect(text).toMatch(/^ExecStart=\/usr\/bin\/node \S+\/src\/bin\.js start --config \S+ --data \/var\/lib\/peerage$/m)
  expect(text).toMatch(/^User=peerage$/m)
  expect(text).toMatch(/^StateDirectory=peerage$/m)
  expect(text).not.toMatch(/^Exec\w*=.*\b(npm|npx|sh)\b/m)
})

test.skipIf(!has)('systemd reads it without a complaint', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'peerage-unit-'))
  try {
    const here = join(folder, 'peerage.service')
    // The path of node is the only thing that differs from machine to machine.
    await writeFile(here, (await readFile(unit, 'utf8')).replace('/usr/bin/node', process.execPath))
    const { stdout, stderr } = await run('systemd-analyze', ['verify', here])
    expect(stdout + stderr).toBe('')
  } finally {
    await rm(folder, { recursive: true })
  }
})

test.skipIf(!has)('what it leaves open is little', async () => {
  const { stdout } = await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', '--no-pager', unit])
  const [, exposure] = /exposure level for peerage\.service: ([\d.]+)/.exec(stdout) ?? []
  console.log(`systemd-analyze security: ${exposure}`)
  expect(Number(exposure)).toBeLessThanOrEqual(2)
})
