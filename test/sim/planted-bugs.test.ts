/** The planted bugs still fit the code; that each is found, `npm run planted-bugs` shows. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { PLANTED_BUGS } from './planted-bugs.ts'

test.each(PLANTED_BUGS)('$name: can be planted', async ({ file, find, replace }) => {
  const source = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8')
  expect(source.split(find), `${file} holds this once: ${find}`).toHaveLength(2)
  expect(replace).not.toBe(find)
})
