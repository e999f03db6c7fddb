/**
 * How to get a record from a program: by this node's own interface, and by the clients of others that its kind's table
 * says can read it. Only ids, addresses and names of kinds go into a command, never a record's own words: what is copied
 * into a shell must be what it looks like. The one name that a client must be told stands as a quoted literal.
 */
import { html } from 'hono/html'
import { type Kind, type Merged, opIdToCid, type Protocol } from '../../crdt/index.ts'
import { agentCard } from '../interop/agent-card.ts'
import { modelIdOf } from '../interop/hub-model.ts'
import { isServer } from '../interop/server-names.ts'
import { type Html, isolated } from './text.ts'

type Snippet = { readonly title: string; readonly text: string }

export function snippetsHtml(record: Merged, kind: Kind, origin: string): Html {
  const theirs = (kind.serves ?? []).flatMap((protocol) => CLIENTS[protocol](record, origin))
  return html`<div class="snippets">${[...ownSnippets(record, kind, origin), ...theirs].map(
    (
      { title, text },
      at,
    ) => html`<section class="snippet"><h3>${title}</h3><button type="button" class="copy" data-copy="snippet-${at}" aria-label="Copy: ${title}" hidden>Copy</button>
<pre tabindex="0"><code id="snippet-${at}">${isolated(text, SNIPPET_CHARS)}</code></pre></section>`,
  )}</div>`
}

const SNIPPET_CHARS = 2_000

function ownSnippets({ record, heads }: Merged, kind: Kind, origin: string): Snippet[] {
  const [head] = heads
  return [
    { title: 'curl', text: `curl -s ${origin}/v1/${kind.plural}/${record}` },
    {
      title: 'Command line',
      text: `npm run -s peerage -- get ${record} --url ${origin}\nnpm run -s peerage -- history ${record} --url ${origin}`,
    },
    {
      title: 'TypeScript',
      text: `const client = new Client({ url: '${origin}' })\nconst record = await client.get('${record}')\nawait client.proven('${record}') // every signature checked on your side`,
    },
    ...(head === undefined
      ? []
      : [{ title: 'The signed bytes', text: `curl -s ${origin}/v1/ops/${opIdToCid(head)} -o op.cbor` }]),
  ]
}

/** As JavaScript and Python read it, in signs that cannot be mistaken. */
function literal(text: string): string {
  return JSON.stringify(text).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Nothing for a record that the client could not read. */
const CLIENTS: Readonly<Record<Protocol, (record: Merged, origin: string) => readonly Snippet[]>> = {
  mcp: (record, origin) =>
    isServer(record)
      ? [
          { title: 'MCP: its server.json', text: `curl -s ${origin}/mcp/${record.record}/server.json` },
          { title: 'MCP clients: this node as their registry', text: `${origin}/v0.1/servers` },
        ]
      : [],
  hub: (record, origin) =>
    record.live
      ? [
          {
            title: 'Hugging Face client',
            text: `import { modelInfo } from '@huggingface/hub'\nconst info = await modelInfo({ hubUrl: '${origin}', name: ${literal(modelIdOf(record))} })`,
          },
        ]
      : [],
  a2a: (record, origin) =>
    record.live && 'text' in agentCard(record)
      ? [
          {
            title: 'A2A client',
            text: `import { DefaultAgentCardResolver } from '@a2a-js/sdk/client'\nconst card = await new DefaultAgentCardResolver().resolve('${origin}/a2a/${record.record}/')`,
          },
        ]
      : [],
}
