/** config: every setting as it is now, and where it comes from. */
import { environmentName, SETTINGS, type SettingName } from '../config.ts'
import type { Context } from './context.ts'

export async function run({ out, resolved, options }: Context): Promise<void> {
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
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
      await out.data(`${name.padEnd(11)} ${text}${options.origin ? `  ${out.dim(`(${origin})`)}` : ''}`)
    }
  }
}
