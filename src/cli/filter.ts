/** Filters on the command line: sent as they were typed, and shown with the place that the node does not understand. */
import { ClientError } from '../client-error.ts'
import type { Context } from './context.ts'
import { EXIT, Failure } from './output.ts'

const SHOWN_CHARS = 72

/** `--where`, given once or several times: all must be met. */
export function filterOf({ options }: Context): string | undefined {
  const given = (options.where as readonly string[] | undefined) ?? []
  return given.length <= 1 ? given[0] : given.map((text) => `(${text})`).join(' and ')
}

/** Runs what sends the filter. A filter that cannot be understood is a mistake in the command line. */
export async function withFilter<T>(filter: string | undefined, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const position = error instanceof ClientError ? error.problem?.['position'] : undefined
    if (filter === undefined || typeof position !== 'number') throw error
    throw new Failure(EXIT.usage, `${(error as Error).message}\n${pointedAt(filter, position)}`, { cause: error })
  }
}

/** The part of the text around the place, and a mark below it. */
export function pointedAt(text: string, position: number): string {
  const from = Math.max(0, Math.min(position - SHOWN_CHARS / 2, text.length - SHOWN_CHARS))
  const part = text.slice(from, from + SHOWN_CHARS).replace(/\s/g, ' ')
  return `  ${part}\n  ${' '.repeat(position - from)}^`
}
