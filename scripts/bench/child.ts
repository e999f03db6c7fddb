/** A benchmark's node process: as src/bin.js starts the program, with what is compiled kept for the next start. */
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

process.env['NODE_COMPILE_CACHE'] ||= join(homedir(), '.cache', 'peerage')
enableCompileCache(process.env['NODE_COMPILE_CACHE'])
await import('./calls.ts')
