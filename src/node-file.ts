/** DATA/node.json: where a running node says how to reach it, and commands find it. It is there while the node runs. */
import { join } from 'node:path'

export type NodeFile = {
  readonly http: string
  readonly pid: number
  readonly peer_id?: string | null
  readonly multiaddrs?: readonly string[]
  readonly version?: string
}

export function nodeFile(data: string): string {
  return join(data, 'node.json')
}
