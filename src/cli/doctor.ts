/** doctor: looks at a data folder, its node and its peers, and says what is wrong and what to do. Leaves with 1 then. */
import { CHECKS, type Finding, type State } from '../doctor/checks.ts'
import { Patient } from '../doctor/patient.ts'
import type { Context } from './context.ts'
import { EXIT, type ExitCode } from './output.ts'

const MARKS: Readonly<Record<State, string>> = { good: 'ok', unsure: 'look', wrong: 'WRONG', unknown: '-' }

export async function run({ out, resolved, options, signal }: Context): Promise<ExitCode> {
  const { settings, origins } = resolved
  const named = (options.peer as readonly string[] | undefined) ?? []
  const peers = origins.url === 'default' ? named : [settings.url as string, ...named]
  const patient = new Patient(settings, peers)
  let wrong = 0
  for (const { name, look } of CHECKS) {
    signal.throwIfAborted()
    out.progress(`${name} ...`)
    let found: readonly Finding[]
    try {
      found = [await look(patient)].flat()
    } catch (error) {
      // What no check foresaw is a finding too, and the others are still worth having.
      found = [{ state: 'wrong', said: `could not be looked at: ${(error as Error).message}` }]
    }
    out.clearProgress()
    for (const { state, said, todo } of found) {
      if (state === 'wrong') wrong++
      if (out.json) await out.value({ check: name, state, said, ...(todo !== undefined && { todo }) })
      else if (!out.quiet || state === 'wrong') {
        const mark = MARKS[state].padEnd(6)
        await out.data(`${state === 'wrong' ? out.bold(mark) : mark}${name.padEnd(14)}${said}`)
        if (todo !== undefined) await out.data(`${' '.repeat(20)}${out.dim(todo)}`)
      }
    }
  }
  return wrong > 0 ? EXIT.error : EXIT.ok
}
