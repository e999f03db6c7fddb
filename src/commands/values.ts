/** What options take beside plain text: lists, and whole numbers within bounds. */
import { InvalidArgumentError } from 'commander'

export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

export function number(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0) throw new InvalidArgumentError('expected a whole number above 0')
  return Number(text)
}

export function amount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected a whole number')
  return Number(text)
}

export function place(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected the seq of a change')
  return Number(text)
}
