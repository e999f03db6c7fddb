/**
 * The kinds this software has a table for. One more is one file here and one line below; a record of any other kind
 * is stored, merged and relayed all the same (SPEC.md, "Names").
 */
import type { Kind, Protocol } from '../kind.ts'
import { agent } from './agent.ts'
import { algorithm } from './algorithm.ts'
import { capability } from './capability.ts'
import { model } from './model.ts'
import { persona } from './persona.ts'
import { service } from './service.ts'
import { template } from './template.ts'
import { tool } from './tool.ts'
import { workflow } from './workflow.ts'

export type { Agent } from './agent.ts'
export type { Algorithm } from './algorithm.ts'
export type { Capability } from './capability.ts'
export { MODEL_TASKS } from './common.ts'
export type { Model } from './model.ts'
export type { Persona } from './persona.ts'
export type { Service } from './service.ts'
export type { Template } from './template.ts'
export type { Tool } from './tool.ts'
export type { Workflow } from './workflow.ts'

const tables = [model, agent, tool, workflow, capability, persona, service, template, algorithm] as const

/** By name. A null-prototype map: a name from outside is looked up as it stands. */
export const kinds: Readonly<Record<string, Kind>> = byKey((kind) => kind.name)
const byPlural: Readonly<Record<string, Kind>> = byKey((kind) => kind.plural)

/** The table of a kind by its name, as records carry it; undefined for a kind that has none. */
export function kindOf(name: string): Kind | undefined {
  return kinds[name]
}

/** The table of a kind by its plural, as paths of the HTTP face carry it. */
export function kindOfPlural(plural: string): Kind | undefined {
  return byPlural[plural]
}

/** The kind whose records are served in a protocol of others. */
export function kindServing(protocol: Protocol): Kind {
  return tables.find((kind: Kind) => kind.serves?.includes(protocol)) as Kind
}

/** The plural of a kind's name; a kind without a table is its own plural. */
export function pluralOf(name: string): string {
  return kinds[name]?.plural ?? name
}

function byKey(key: (kind: Kind) => string): Readonly<Record<string, Kind>> {
  const found: Record<string, Kind> = Object.create(null)
  for (const table of tables) found[key(table)] = table
  return found
}
