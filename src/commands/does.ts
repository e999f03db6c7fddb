/** How a command of the table comes to what it does: loaded when it runs, so that help starts fast. */
import type { Context } from '../cli/context.ts'

export type Action = (context: Context, ...args: never[]) => Promise<number> | Promise<void>
export type Load = () => Promise<Action>
/** Makes of it what commander calls. */
export type Does = (load: Load) => (...args: unknown[]) => Promise<void>
