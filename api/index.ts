/**
 * api/: the HTTP face of one node. It turns requests into operations of the node's catalogue and their outcomes into
 * JSON; nothing is decided here that another face would have to decide again.
 *
 * Reading order: app.ts lists the routes; route.ts is what all of them go through; records.ts is the register itself;
 * problem.ts says what an error looks like; server.ts listens. interop/ is the same register for the clients of others;
 * pages/ is what browsers get: routes.ts lists it.
 */
export { type AppOptions, createApp } from './app.ts'
export type { McpBackend, McpSearch, McpServerFactory } from './interop/index.ts'
export { PAGE_PATHS } from './pages/routes.ts'
export { PROBLEMS, type ProblemCode } from './problem.ts'
export { type HttpServer, type ListenOptions, listen } from './server.ts'
