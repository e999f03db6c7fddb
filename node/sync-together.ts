/** Sessions about several sets, held one after the other with one peer, as one. */
import { ALL } from './sets.ts'
import type { SessionResult } from './sync-session.ts'

/** How the last that mattered ended, and sums. */
export function together(ended: readonly SessionResult[], peer: string): SessionResult {
  const shared = ended.filter(({ sets }) => sets === undefined)
  const last = shared.at(-1)
  if (last === undefined) return { ...NOTHING, peer }
  const sum = (of: (result: SessionResult) => number) => ended.reduce((total, result) => total + of(result), 0)
  const { rootEqual: _, ...rest } = last
  return {
    ...rest,
    opsIn: sum(({ opsIn }) => opsIn),
    opsOut: sum(({ opsOut }) => opsOut),
    bytesIn: sum(({ bytesIn }) => bytesIn),
    bytesOut: sum(({ bytesOut }) => bytesOut),
    ms: sum(({ ms }) => ms),
    rounds: sum(({ rounds }) => rounds),
    ...(shared.every(({ rootEqual }) => rootEqual !== undefined) && {
      rootEqual: shared.every(({ rootEqual }) => rootEqual === true),
    }),
    deep: shared.some(({ deep }) => deep),
  }
}

/** A peer that shares no set with us: nothing to say, and nothing wrong. */
export const NOTHING: Omit<SessionResult, 'peer'> = {
  inbound: false,
  opsIn: 0,
  opsOut: 0,
  bytesIn: 0,
  bytesOut: 0,
  ms: 0,
  end: 'done',
  deep: false,
  set: ALL,
  rounds: 0,
}
