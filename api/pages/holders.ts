/**
 * Which nodes hold a record, as far as this one can know: peers whose set of ops has the same root as ours hold all that
 * we hold. Of the others is known how many ops they have more; which, only comparing says.
 */
import { html } from 'hono/html'
import type { NodeFace, PeerStatus, Status } from '../../node/index.ts'
import { peersShownMax } from '../../node/index.ts'
import { count, type Html, isolated, plural, shortId } from './text.ts'

export function holdersHtml(node: NodeFace, { peers, root }: Status): Html {
  const equal = peers.filter((peer) => peer.root_equal === true).length
  return html`<p>This node${equal > 0 ? html` and <strong>${plural(equal, 'connected peer')}</strong> with the same catalogue, root <code>${root ?? ''}</code>` : ''}${peers.length === 0 ? '. No peer is connected at the moment' : ''}.</p>
${peers.length > 0 && html`<ul class="holders">${peers.slice(0, peersShownMax).map(holderHtml)}</ul>`}
${peers.length > peersShownMax && html`<p class="left-out">… ${count(peers.length - peersShownMax)} more peers</p>`}
${node.peerId !== undefined && html`<p class="quiet">This node is <code title="${node.peerId}">${shortId(node.peerId)}</code> to its peers.</p>`}`
}

function holderHtml(peer: PeerStatus): Html {
  return html`<li><code title="${peer.peer_id}">${shortId(peer.peer_id)}</code> ${agreementHtml(peer)}</li>`
}

export function agreementHtml({ root_equal: equal, ops_behind: behind }: PeerStatus): Html {
  if (equal === true) return html`<span class="badge good">roots equal</span> holds all that we hold`
  if (equal === undefined) return html`<span class="badge">not compared yet</span>`
  if (behind !== undefined && behind > 0) {
    return html`<span class="badge warn">roots differ</span> has ${isolated(plural(behind, 'op'))} that we lack`
  }
  return html`<span class="badge warn">roots differ</span> has no more ops than we have; it may lack some of ours`
}
