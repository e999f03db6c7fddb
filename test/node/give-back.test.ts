/** A heap is packed once, after the work and not during it. */
import { expect, test } from 'vitest'
import { GiveBack } from '../../node/give-back.ts'
import { giveBackWork } from '../../node/limits.ts'

/** Waits that end when they are told to. */
function waits() {
  const calls: (() => void)[] = []
  const after = (_: number, call: () => void) => {
    calls.push(call)
    return () => void calls.splice(calls.indexOf(call), 1)
  }
  return { calls, after }
}

test('what garbage has scattered is packed together, and its pages are given back', () => {
  const { calls, after } = waits()
  const giveBack = new GiveBack(after)
  let made: { readonly i: number }[] = Array.from({ length: 1_000_000 }, (_, i) => ({ i }))
  made = made.filter(({ i }) => i % 50 === 0)
  const before = process.memoryUsage().heapTotal
  giveBack.note(giveBackWork)
  calls[0]?.()
  expect(process.memoryUsage().heapTotal).toBeLessThan(before - 20e6)
  expect(made).toHaveLength(20_000)
})

test('little work is not worth it, and work that goes on puts it off', () => {
  const { calls, after } = waits()
  const giveBack = new GiveBack(after)
  giveBack.note(giveBackWork - 1)
  expect(calls).toHaveLength(0)
  giveBack.note(1)
  const [first] = calls
  giveBack.note(1)
  expect(calls).toHaveLength(1)
  expect(calls[0]).not.toBe(first)
  giveBack.stop()
  expect(calls).toHaveLength(0)
})
