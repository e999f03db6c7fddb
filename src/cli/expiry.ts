/** Until when something is good, as a person writes it: a date, or a time from now such as 90d. */
import { EXIT, Failure } from './output.ts'

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** ms since 1970; undefined when nothing was given. */
export function readExpiry(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? []
  const at = count === undefined ? Date.parse(text) : now + Number(count) * (UNITS[unit as string] as number)
  if (Number.isNaN(at)) throw new Failure(EXIT.usage, `expected a date or a time such as 90d, got ${text}`)
  if (at <= now) throw new Failure(EXIT.usage, `${text} is in the past`)
  return at
}
