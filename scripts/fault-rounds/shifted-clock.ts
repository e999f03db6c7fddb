/**
 * Loaded before a program (`node --import`): its clock says what the machine's does and as many ms more as the file
 * CLOCK_SHIFT_FILE holds at that moment. Nothing else about the program changes.
 */
import { readFileSync } from 'node:fs'

const file = process.env['CLOCK_SHIFT_FILE'] as string
const RealDate = Date
const lookMs = 50
let [shift, lookedAt] = [0, Number.NEGATIVE_INFINITY]

function now(): number {
  if (performance.now() - lookedAt > lookMs) {
    shift = Number(readFileSync(file, 'utf8'))
    lookedAt = performance.now()
  }
  return RealDate.now() + shift
}

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [now()] : args, self),
  apply: () => new RealDate(now()).toString(),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
})
