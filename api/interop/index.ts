/**
 * The register in the protocols that people's clients already speak. One file of routes for each: registry.ts (MCP
 * Registry), mcp-endpoint.ts (MCP), a2a.ts (agent cards), hub.ts (Hugging Face), ai-catalog.ts and ard.ts (AI Catalog
 * and Agentic Resource Discovery); beside each what makes one of its documents of a record.
 */
import type { NodeFace } from '../../node/index.ts'
import type { Route } from '../route.ts'
import { a2aRoutes } from './a2a.ts'
import { catalogRoutes } from './ai-catalog.ts'
import { ardRoutes } from './ard.ts'
import { hubRoutes } from './hub.ts'
import { type McpServerFactory, mcpRoutes } from './mcp-endpoint.ts'
import { registryRoutes } from './registry.ts'
import { ServerNames } from './server-names.ts'

export type { McpBackend, McpSearch, McpServerFactory } from './mcp-endpoint.ts'

/** `closing` ends what follows the replica; without `mcp` there is no POST /mcp. */
export function interopRoutes(node: NodeFace, closing: AbortSignal, mcp?: McpServerFactory): Route[] {
  const names = new ServerNames(node.replica, closing)
  return [
    ...registryRoutes(node, names),
    ...(mcp === undefined ? [] : mcpRoutes(node, mcp)),
    ...a2aRoutes(node, mcp !== undefined),
    ...hubRoutes(node),
    ...catalogRoutes(node),
    ...ardRoutes(node),
  ]
}
