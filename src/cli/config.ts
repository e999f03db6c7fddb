/** config: every setting as it is now and where it comes from, or the schema of the file. */

import { environmentName, type Resolved, SETTINGS, type SettingName } from '../config.ts'
import { configSchema } from '../config-schema.ts'
import type { Context } from './context.ts'
import { EXIT, Failure } from './output.ts'

export async function run({ out, resolved, options }: Context, what?: string): Promise<void> {
  if (what !== undefined && what !== 'show')
    throw new Failure(EXIT.usage, `there is no config ${what}; there is config show, and config --schema`)
  if (options.schema) return out.data(JSON.stringify(configSchema(), null, 2))
  const names = Object.keys(SETTINGS) as SettingName[]
  const width = Math.max(...names.map((name) => name.length))
  for (const name of names) {
    const value = resolved.settings[name]
    const origin = resolved.origins[name]
    if (out.json) {
      await out.value({
        name,
        value: value ?? null,
        origin,
        environment: environmentName(name),
        note: SETTINGS[name].note,
      })
    } else {
      const text = value === undefined ? '' : Array.isArray(value) ? value.join(', ') : String(value)
      await out.data(
        `${name.padEnd(width)}  ${text}${options.origin ? `  ${out.dim(`(${whence(name, resolved)})`)}` : ''}`,
      )
    }
  }
}

/** The flag, the variable or the file, so that it can be changed there. */
function whence(name: SettingName, { origins, file }: Resolved): string {
  const origin = origins[name]
  if (origin === 'flag') return `flag --${name.replaceAll('_', '-')}`
  if (origin === 'environment') return `environment ${environmentName(name)}`
  return origin === 'file' ? `file ${file}` : origin
}
