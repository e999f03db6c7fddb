import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type CatalogueState, filtersOf, hrefOf, readState } from '../../../api/pages/catalogue-query.ts'
import { isProblem } from '../../../api/problem.ts'
import { kindOf } from '../../../crdt/index.ts'
import { chosenSeed } from '../../support/seed.ts'

const read = (query: string) => readState(new URLSearchParams(query))

test('the address of a state is read back as that state', () => {
  const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((each) => each.isWellFormed() && each !== '')
  const name = text.filter((each) => !['kind', 'q', 'sort', 'cursor', 'copies'].includes(each))
  const chosen = fc.uniqueArray(fc.record({ name, text }), { maxLength: 5, selector: (each) => JSON.stringify(each) })
  fc.assert(
    fc.property(text, chosen, fc.option(text, { nil: undefined }), (words, values, sort) => {
      const state: CatalogueState = {
        kind: kindOf('model'),
        text: words,
        chosen: values,
        sort,
        cursor: undefined,
        copies: undefined,
      }
      expect(read(hrefOf(state).slice(1))).toEqual(state)
    }),
    { seed: chosenSeed() },
  )
  expect(hrefOf({ kind: undefined, text: '', chosen: [], sort: undefined, cursor: 'x', copies: undefined })).toBe('/')
})

test('tables say what is a number or a truth value; a name that is chosen twice asks for both', () => {
  const filters = (query: string) => {
    const state = read(query)
    if (isProblem(state)) throw new Error(state.detail)
    return { ...(filtersOf(state) as object) }
  }
  expect(filters('kind=model&context_length=8192&open_weights=true&tags=a&tags=b&tags=a&family=7')).toEqual({
    context_length: 8192,
    open_weights: true,
    tags: ['a', 'b'],
    family: '7',
  })
  expect(filters('parameters_gte=1000')).toEqual({ parameters_gte: 1000 })
  expect(() => filters('kind=spaceship')).toThrow('no kind of this name')
  expect(() => filters(`q=${'x'.repeat(600)}`)).toThrow('at most')
  expect(() => filters(Array.from({ length: 40 }, (_, n) => `f${n}=x`).join('&'))).toThrow('at most')
  expect(isProblem(read('cursor=%20') as object)).toBe(true)
  const state = read('parameters_gte=many') as CatalogueState
  expect(filtersOf(state)).toMatchObject({ problem: 'bad-query' })
})
