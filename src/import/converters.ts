/** The formats that `peerage import` knows, by the name it is given. */
import { a2a } from './a2a.ts'
import type { Converter } from './converter.ts'
import { dockerMcp } from './docker-mcp.ts'
import { hf } from './hf.ts'
import { mcp } from './mcp.ts'
import { modelsDev } from './models-dev.ts'
import { oasf } from './oasf.ts'

export const converters: Readonly<Record<string, Converter>> = {
  mcp,
  hf,
  a2a,
  'models.dev': modelsDev,
  oasf,
  'docker-mcp': dockerMcp,
}
