/**
 * Asks a person. A script is not asked: nobody is there to answer, and what it wrote down is what it means.
 */
import { createInterface } from 'node:readline/promises'
import type { Context } from './context.ts'

export async function confirm({ stdin, signal }: Context, question: string): Promise<boolean> {
  if (!stdin.isTTY) return true
  const lines = createInterface({ input: stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `, { signal })).trim())
  } finally {
    lines.close()
  }
}
