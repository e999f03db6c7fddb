/** What the routes for other people's clients have in common in the OpenAPI document. */
type Part = Readonly<Record<string, unknown>>

const TEXT = { type: 'string' }

function inPath(name: string, description: string): Part {
  return { name, in: 'path', required: true, description, schema: TEXT }
}

function inQuery(name: string, description: string, schema: Part = TEXT, more: Part = {}): Part {
  return { name, in: 'query', required: false, description, schema, ...more }
}

const LIST = { type: 'array', items: TEXT }
const SEVERAL = { style: 'form', explode: true }

/** By the name under which components.parameters has them. */
export const interopParameters = {
  serverName: inPath('serverName', 'Name of an MCP server, its `/` as `%2F`.'),
  serverVersion: inPath('version', 'A version, or `latest`.'),
  modelId: inPath('modelId', 'provider/name, with any number of slashes.'),
  revision: inPath('revision', '`main`, `HEAD` or the git commit that the record names.'),
  record: inPath('record', 'Record id.'),
  kinds: inPath('kinds', 'Plural of a kind.'),
  serverLimit: inQuery('limit', 'Servers on a page.', { type: 'integer', minimum: 1, maximum: 1000, default: 30 }),
  serverSearch: inQuery('search', 'Full text.'),
  updatedSince: inQuery('updated_since', 'Only what changed since (RFC 3339), deleted servers too.', {
    ...TEXT,
    format: 'date-time',
  }),
  serverVersionWanted: inQuery('version', '`latest`, or a version to match exactly.'),
  includeDeleted: inQuery('include_deleted', 'Deleted servers too.', { type: 'boolean', default: false }),
  author: inQuery('author', 'Publisher.'),
  pipelineTag: inQuery('pipeline_tag', 'Task, such as text-generation.'),
  modelSearch: inQuery('search', 'Full text.'),
  modelSort: inQuery('sort', 'downloads, likes, lastModified, createdAt, num_parameters or id.'),
  modelFilter: inQuery('filter', 'A tag; named twice, both are asked for.', LIST, SEVERAL),
  expand: inQuery('expand', 'A further key to give; named several times, several.', LIST, SEVERAL),
  numParameters: inQuery('num_parameters', '`min:6B,max:128B`'),
  from: inQuery('from', 'First record id of the page, or its beginning.'),
  to: inQuery('to', 'Last record id of the page, or its beginning.'),
  entryFilter: inQuery('filter', '`field=value`, several with commas between them.'),
  orderBy: inQuery('orderBy', 'A field, and ` desc` behind it for the other direction.'),
  pageSize: inQuery('pageSize', 'Entries on a page.', { type: 'integer', minimum: 1, maximum: 100, default: 10 }),
  pageToken: inQuery('pageToken', 'pageToken of the page before.'),
} as const satisfies Record<string, Part>

/** References to them. */
export const asked = Object.fromEntries(
  Object.keys(interopParameters).map((name) => [name, { $ref: `#/components/parameters/${name}` }]),
) as unknown as { readonly [K in keyof typeof interopParameters]: Part }

/** An answer whose shape another specification defines. */
export function theirs(description: string, type = 'application/json', schema: Part = { type: 'object' }): Part {
  return { 200: { description, content: { [type]: { schema } } } }
}

/** A 404 in the form that the clients of another register expect. */
export function notTheirs(description: string): Part {
  return {
    404: {
      description,
      content: { 'application/json': { schema: { type: 'object', properties: { error: TEXT }, required: ['error'] } } },
    },
  }
}
