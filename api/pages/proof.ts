/**
 * What this node can vouch for when a page is made: the frames that carry a record's heads are read back from disk, ids
 * and batch proofs are derived from their bytes again, and the signatures are checked again. It says who signed what,
 * and nothing about whether it is true.
 */
import { html } from 'hono/html'
import { keyToDid, type Merged, type OpId, openFrame, opIdToCid, ownerOfKey, ownerToDid } from '../../crdt/index.ts'
import { type NodeFace, nativeSuite, pageHeadsMax } from '../../node/index.ts'
import { publisherPath } from './card.ts'
import { type Html, plural, shortDid, shortId, time } from './text.ts'

export type HeadProof = {
  readonly op: OpId
  /** Missing when the op could not be read, or its signature does not hold. */
  readonly signed?: { readonly actor: string; readonly byOwner: boolean; readonly w: number; readonly batch: number }
}

export async function proveHeads(node: NodeFace, record: Merged): Promise<readonly HeadProof[]> {
  const heads = record.heads.slice(0, pageHeadsMax)
  const { frames } = await node.replica.frames(heads)
  const proofs = new Map<OpId, HeadProof>()
  for (const bytes of frames) {
    const opened = openFrame(bytes, node.replica.net, nativeSuite)
    if (!opened.ok) continue
    const { actor, n, entries } = opened.frame
    for (const { op } of entries) {
      const byOwner = ownerOfKey(actor) === record.owner
      proofs.set(op.id, { op: op.id, signed: { actor: keyToDid(actor), byOwner, w: op.header.w, batch: n } })
    }
  }
  return heads.map((op) => proofs.get(op) ?? { op })
}

export function proofHtml(record: Merged, proofs: readonly HeadProof[], now: number): Html {
  const owner = ownerToDid(record.owner)
  const good = proofs.every((proof) => proof.signed !== undefined)
  const foreign = proofs.some((proof) => proof.signed?.byOwner === false)
  return html`<p class="verdict ${good ? 'good' : 'bad'}">${
    good
      ? html`<strong>Signature verified</strong> by this node, just now, ${foreign ? "against the keys that signed; the right of those that are not the owner's rests on what the owner granted" : "against the owner's key"}.`
      : html`<strong>Not verified.</strong> A signed op could not be read back from this node's disk, or does not hold.`
  }</p>
<dl class="rows">
<div><dt>Owner</dt><dd><a class="mono wrap" href="${publisherPath(owner)}">${owner}</a></dd></div>
<div><dt>Record id</dt><dd><code class="wrap">${record.record}</code><p class="quiet">A hash of network, owner, kind and name: nobody else can take it.</p></dd></div>
<div><dt>${record.heads.length > 1 ? `${record.heads.length} heads` : 'Head'}</dt><dd><ul class="heads">${proofs.map((proof) => headHtml(record, proof, now))}</ul>
${record.heads.length > proofs.length && html`<p class="quiet">and ${plural(record.heads.length - proofs.length, 'more head')}</p>`}
${record.heads.length > 1 && html`<p class="quiet">Written without knowing of each other, and merged: ${record.conflicts.length === 0 ? 'nothing they say is in conflict.' : html`what they disagree on is <a href="#conflicts">in conflict</a>.`}</p>`}</dd></div>
</dl>
<p class="quiet">Verified: that the owner's key signed this, that nothing was changed since, and that no op is missing before it. Not verified: whether what it says is true.</p>`
}

function headHtml(record: Merged, { op, signed }: HeadProof, now: number): Html {
  const cid = opIdToCid(op)
  const voided = record.voided?.some((each) => each.op === op)
  return html`<li><a class="mono" href="/v1/ops/${cid}" download title="${cid}">${shortId(cid, 14, 8)}</a>
${
  signed === undefined
    ? html`<span class="badge bad">does not hold</span>`
    : html`<span class="badge good">signature holds</span> ${!signed.byOwner && html`by <a class="mono" href="${publisherPath(signed.actor)}" title="${signed.actor}">${shortDid(signed.actor)}</a>`} ${voided && html`<span class="badge warn">lost its right, does not count</span>`} ${time(signed.w, now)} <span class="quiet">${signed.batch > 1 ? `one of ${signed.batch} ops under one signature` : 'signed by itself'}</span>`
}</li>`
}
