/** Long work in steps, so that reads and requests go first. */

/** A turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Runs to its end, letting others run in between; undefined when it was stopped. */
export async function stepwise<T>(steps: Generator<void, T>, signal: AbortSignal): Promise<T | undefined> {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
    if (signal.aborted) return undefined
    await turn()
  }
}
