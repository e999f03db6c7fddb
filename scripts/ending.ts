/**
 * When a long program is to end before it is done: it was told to (SIGINT, SIGTERM), or its time is up. It ends what it
 * is at, says what it came to so far, and leaves; told again, it leaves at once.
 */
export type Ending = {
  /** Why it is to end; undefined as long as it is not. */
  readonly why: string | undefined
  /** Aborted then. */
  readonly signal: AbortSignal
}

/** `minutes`: its time, 0 for as long as it takes. Once a process. */
export function endingAfter(minutes: number): Ending {
  const controller = new AbortController()
  let why: string | undefined
  let toldAt = Number.POSITIVE_INFINITY
  const end = (because: string) => {
    why ??= because
    controller.abort()
  }
  const told = () => {
    // A terminal tells all processes of a group, and so does whoever started this one.
    if (performance.now() > toldAt + AGAIN_MS) process.exit(130)
    toldAt = Math.min(toldAt, performance.now())
    end('it was told to end')
  }
  process.on('SIGINT', told)
  process.on('SIGTERM', told)
  if (minutes > 0) setTimeout(() => end(`${minutes} minutes are over`), minutes * 60_000).unref()
  return {
    get why() {
      return why
    },
    signal: controller.signal,
  }
}

const AGAIN_MS = 2_000
