/**
 * How to get a record from a program. Only ids, addresses and names of kinds go into a command, never a record's own
 * words: what is copied into a shell must be what it looks like.
 */
import { html } from 'hono/html'
import { type Kind, type Merged, opIdToCid } from '../../crdt/index.ts'
import type { Html } from './text.ts'

type Snippet = { readonly title: string; readonly text: string }

export function snippetsHtml(record: Merged, kind: Kind, origin: string): Html {
  return html`<div class="snippets">${snippetsOf(record, kind, origin).map(
    (
      { title, text },
      at,
    ) => html`<section class="snippet"><h3>${title}</h3><button type="button" class="copy" data-copy="snippet-${at}" hidden>Copy</button>
<pre tabindex="0"><code id="snippet-${at}">${text}</code></pre></section>`,
  )}</div>`
}

function snippetsOf({ record, heads }: Merged, kind: Kind, origin: string): Snippet[] {
  const at = `${origin}/v1/${kind.plural}/${record}`
  const [head] = heads
  return [
    { title: 'curl', text: `curl -s ${at}` },
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
