/**
 * Worlds in which something once went wrong, shrunk, with the name of what it was. Kept as whole plans and not as seeds:
 * a seed means another world when the drawing of worlds changes.
 */
import { readFile, writeFile } from 'node:fs/promises'
import type { Plan } from './plan.ts'

export type Regression = { readonly name: string; readonly plan: Plan }

const FILE = new URL('./regressions.json', import.meta.url)

export async function readRegressions(): Promise<Regression[]> {
  return JSON.parse(await readFile(FILE, 'utf8')) as Regression[]
}

export async function recordRegression(name: string, plan: Plan): Promise<void> {
  const all = [...(await readRegressions()).filter((one) => one.name !== name), { name, plan }]
  // One line for each, so that a change shows as one.
  await writeFile(FILE, `[\n${all.map((one) => `  ${JSON.stringify(one)}`).join(',\n')}\n]\n`)
}
