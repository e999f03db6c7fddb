/** All lies. */
import type { Behaviour } from './liar.ts'
import { OP_LIES } from './ops.ts'
import { SESSION_LIES } from './sessions.ts'

export const BEHAVIOURS: readonly Behaviour[] = [...OP_LIES, ...SESSION_LIES]
