/** This node: what it holds, whom it is connected to, whether they hold the same, how much arrives, and what arrived last. */
import type { Context } from 'hono'
import { html } from 'hono/html'
import { keyToDid, kindOf, kinds, type Merged, opIdToCid, pluralOf } from '../../crdt/index.ts'
import { type Change, changesShownMax, type NodeFace, peersShownMax, type Status } from '../../node/index.ts'
import type { Answer } from '../route.ts'
import type { Activity } from './activity.ts'
import { hueOf, kindBadge, publisherPath, recordPath } from './card.ts'
import { titleOf } from './doc.ts'
import { agreementHtml } from './holders.ts'
import { pageAnswer } from './layout.ts'
import { bytes, count, type Html, isolated, label, named, plural, shortDid, shortId, time } from './text.ts'

export async function nodePage(node: NodeFace, _c: Context, activity: Activity): Promise<Answer> {
  const [status, storage] = await Promise.all([node.status(), node.storage?.()])
  const changes = await node.replica.changes(Math.max(0, status.seq - changesShownMax), changesShownMax)
  const latest = changes.toReversed()
  const records = await node.replica.recordsOrBroken(latest.map((change) => change.record))
  const now = Date.now()
  const main = html`<div class="wide stack" data-follow="/v1/changes" data-since="${status.seq}"
 hx-get="/node" hx-trigger="changed" hx-target="#state" hx-select="#state" hx-swap="outerHTML">
<header class="record-head"><h1>This node</h1>
</header>
<div id="state" class="stack">
<p class="badges">${stateBadges(node, status)}<span class="badge live" aria-hidden="true">live</span></p>
<dl class="figures">
<div><dt>Records</dt><dd>${count(Object.values(status.records).reduce((sum, n) => sum + n, 0))}</dd></div>
<div><dt>Ops</dt><dd>${count(status.ops)}</dd></div>
<div><dt>Peers</dt><dd>${count(status.peers.length)}</dd></div>
<div><dt>Waiting for a parent</dt><dd>${count(status.pending)}</dd></div>
<div><dt>Search behind by</dt><dd>${count(status.search.behind)}</dd></div>
${storage !== undefined && html`<div><dt>On disk</dt><dd>${bytes(storage.ops + storage.search + storage.other)}</dd></div>`}
</dl>
<div class="halves">
<section class="part"><h2>Catalogue</h2>
<dl class="rows"><div><dt>Root</dt><dd><code class="wrap">${status.root ?? 'not loaded yet'}</code><p class="quiet">Two nodes with equal roots hold the same ops.</p></dd></div>
${storage !== undefined && html`<div><dt>Storage</dt><dd>${bytes(storage.ops)} ops, ${bytes(storage.search)} search index, ${bytes(storage.other)} keys and journal</dd></div>`}</dl>
<ul class="tiles">${Object.entries(status.records)
    .sort(([, a], [, b]) => b - a)
    .map(([name, n]) => tileHtml(name, n))}</ul></section>
<section class="part"><h2>Arriving</h2>${activityHtml(activity)}</section>
</div>
<section class="part"><h2>Peers</h2>${peersHtml(node, status)}</section>
<section class="part"><h2>Last changes</h2>
${latest.length === 0 ? html`<p class="quiet">Nothing has arrived yet.</p>` : html`<ol class="feed">${latest.map((change, at) => changeHtml(change, records[at], now))}</ol>`}</section>
</div>
</div>`
  return pageAnswer(node, { title: 'Node · Peerage', at: 'node', canonical: '/node', json: '/v1/status', main })
}

function stateBadges(node: NodeFace, { peers, root }: Status): Html {
  const compared = peers.filter((peer) => peer.root_equal !== undefined)
  const differ = compared.filter((peer) => peer.root_equal === false)
  const behind = differ.reduce((most, peer) => Math.max(most, peer.ops_behind ?? 0), 0)
  return html`${node.ready() && root !== null ? html`<span class="badge good">ready</span>` : html`<span class="badge warn">loading</span>`}
${
  peers.length === 0
    ? html`<span class="badge">no peer connected</span>`
    : compared.length === 0
      ? html`<span class="badge">no peer compared yet</span>`
      : differ.length === 0
        ? html`<span class="badge good">same as ${compared.length === 1 ? 'its peer' : `all ${compared.length} peers`}</span>`
        : html`<span class="badge warn">differs from ${plural(differ.length, 'peer')}${behind > 0 ? `, at least ${plural(behind, 'op')} behind` : ''}</span>`
}`
}

function tileHtml(name: string, n: number): Html {
  const text = html`<span class="dot hue-${hueOf(name)}" aria-hidden="true"></span> ${label(pluralOf(name))} <span class="n">${count(n)}</span>`
  return kinds[name] === undefined
    ? html`<li><span>${text}</span></li>`
    : html`<li><a href="/?kind=${name}">${text}</a></li>`
}

const BARS = 60
const HEIGHT = 64

function activityHtml(activity: Activity): Html {
  const bars = activity.bars(BARS)
  const { local, others, seconds } = activity.perSecond()
  const most = Math.max(1, ...bars.map((bar) => bar.local + bar.others))
  const step = 300 / BARS
  const rate = (n: number) => (n >= 10 ? count(Math.round(n)) : count(Math.round(n * 100) / 100))
  return html`<svg class="bars" viewBox="0 0 300 ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="Ops that arrived in the last five minutes, at most ${count(most)} in five seconds">
${bars.map(({ local: own, others: theirs }, at) => {
  const ownHeight = (own / most) * HEIGHT
  const theirHeight = (theirs / most) * HEIGHT
  return html`<rect class="own" x="${at * step}" y="${HEIGHT - ownHeight}" width="${step - 1}" height="${ownHeight}"/><rect class="theirs" x="${at * step}" y="${HEIGHT - ownHeight - theirHeight}" width="${step - 1}" height="${theirHeight}"/>`
})}<path d="M0 ${HEIGHT - 0.5}H300"/></svg>
<p class="axis quiet"><span>5 min ago</span><span>now</span></p>
<dl class="rows"><div><dt><span class="key own" aria-hidden="true"></span> Written here</dt><dd>${rate(local)} ops/s</dd></div>
<div><dt><span class="key theirs" aria-hidden="true"></span> From others</dt><dd>${rate(others)} ops/s</dd></div></dl>
<p class="quiet">Over the last ${plural(seconds, 'second')}.</p>`
}

function peersHtml(node: NodeFace, status: Status): Html {
  const addresses = node.multiaddrs()
  const { sync } = status
  const total = (name: string) => (typeof sync[name] === 'number' ? (sync[name] as number) : 0)
  return html`${
    status.peers.length === 0
      ? html`<p class="quiet">Nobody is connected. Start with <code>--join ADDRESS</code> to meet a node you know.</p>`
      : html`<div class="scroll" tabindex="0" role="group" aria-label="Peers"><table class="peers"><thead><tr><th scope="col">Peer</th><th scope="col">Address</th><th scope="col">Compared</th></tr></thead><tbody>${status.peers
          .slice(0, peersShownMax)
          .map(
            (peer) =>
              html`<tr><td><code title="${peer.peer_id}">${shortId(peer.peer_id)}</code></td><td class="mono">${isolated(peer.multiaddr?.replace(/\/p2p\/\w+$/, '') ?? 'unknown', 80)}</td><td>${agreementHtml(peer)}</td></tr>`,
          )}</tbody></table></div>${status.peers.length > peersShownMax && html`<p class="left-out">… ${count(status.peers.length - peersShownMax)} more</p>`}`
  }
<dl class="rows wide-rows">
<div><dt>Sessions now</dt><dd>${count(total('sessions'))}</dd></div>
<div><dt>Received</dt><dd>${plural(total('ops_in'), 'op')}, ${bytes(total('bytes_in'))}</dd></div>
<div><dt>Sent</dt><dd>${plural(total('ops_out'), 'op')}, ${bytes(total('bytes_out'))}</dd></div>
${lastSessionHtml(sync['last'])}
${node.peerId !== undefined && html`<div><dt>Peer id</dt><dd><code class="wrap">${node.peerId}</code></dd></div>`}
${node.did !== undefined && html`<div><dt>Signs as</dt><dd><a class="mono wrap" href="${publisherPath(node.did)}">${node.did}</a></dd></div>`}
${addresses.length > 0 && html`<div><dt>Others join at</dt><dd>${addresses.slice(0, 8).map((address) => html`<code class="wrap">${address}</code><br>`)}</dd></div>`}
</dl>`
}

/** As the status has it: counts and how it ended. */
function lastSessionHtml(last: unknown): Html | undefined {
  if (typeof last !== 'object' || last === null) return undefined
  const { peer_id: peer, ops_in: came = 0, ops_out: went = 0, ms = 0, end } = last as Record<string, string | number>
  return html`<div><dt>Last session</dt><dd>with <code>${shortId(String(peer))}</code>: ${plural(Number(came), 'op')} in, ${plural(Number(went), 'op')} out, ${count(Number(ms))} ms, ${isolated(String(end), 40)}</dd></div>`
}

const WORDS: Readonly<Record<string, string>> = {
  genesis: 'registered',
  put: 'replaced',
  patch: 'changed',
  delete: 'deleted',
}

function changeHtml(change: Change, shown: Merged | undefined | 'broken', now: number): Html {
  const record = shown === 'broken' ? undefined : shown
  const by = keyToDid(change.actor)
  const name = record === undefined ? shortId(change.record) : titleOf(record)
  const known = record !== undefined && kindOf(record.kind) !== undefined
  return html`<li>${kindBadge(change.kind)} <span class="name">${known ? html`<a href="${recordPath(record)}">${named(name)}</a>` : isolated(name)}</span>
${shown === 'broken' && html`<span class="quiet">damaged on the disk of this node</span>`}<span class="quiet">${WORDS[change.type] ?? isolated(change.type, 20)} by <a class="mono" href="${publisherPath(by)}" title="${by}">${shortDid(by)}</a> ${time(change.w, now)}</span>
<a class="mono quiet op-id" href="/v1/ops/${opIdToCid(change.op)}" download>#${count(change.seq)}</a></li>`
}
