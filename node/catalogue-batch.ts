/**
 * Many documents in one call, an outcome for each: what import and publish are made of.
 *
 * A document whose slug has no live record creates it. One that has is laid over it field by field (what it does not
 * name stays), or takes its place with `replace`; saying it twice changes nothing.
 */
import { decideOverlay, decideReplace, type Kind, kindOf, kinds, type RecordId } from '../crdt/index.ts'
import { blocked, type Identity, invalid, type Refusal, writtenFrom } from './catalogue-outcome.ts'
import { localWrite, objectOf, slugOf } from './catalogue-write.ts'
import type { LocalWrite, ReplicaFace, WriteOutcome } from './replica-types.ts'

export type BatchItem = { readonly kind: string; readonly slug?: string; readonly doc: unknown }
export type BatchOutcome =
  | { readonly outcome: 'created' | 'merged' | 'unchanged'; readonly id: RecordId }
  | { readonly outcome: 'refused'; readonly id?: RecordId; readonly refusal: Refusal }

export async function writeBatch(
  replica: ReplicaFace,
  identify: (kind: Kind, slug: string) => Identity,
  items: readonly BatchItem[],
  options: { readonly lenient?: boolean; readonly replace?: boolean },
): Promise<readonly BatchOutcome[]> {
  const decide = options.replace ? decideReplace : decideOverlay
  const outcomes = new Array<BatchOutcome>(items.length)
  const writes: LocalWrite[] = []
  const places: number[] = []
  for (const [at, item] of items.entries()) {
    const named = readItem(item, identify)
    const isBlocked = 'identity' in named && replica.policy.blocksRecord(named.identity.id, named.identity.owner)
    const read = isBlocked ? blocked : named
    if ('outcome' in read) {
      outcomes[at] = { outcome: 'refused', refusal: read }
    } else {
      writes.push(localWrite(read.identity, decide, read.body, options))
      places.push(at)
    }
  }
  for (const [n, result] of (await replica.write(writes)).entries()) {
    outcomes[places[n] as number] = outcomeOf(result, writes[n] as LocalWrite)
  }
  return outcomes
}

function readItem(item: BatchItem, identify: (kind: Kind, slug: string) => Identity) {
  const kind = kindOf(item.kind)
  if (kind === undefined) {
    return invalid([{ pointer: '/kind', message: `unknown kind; expected one of ${Object.keys(kinds).join(', ')}` }])
  }
  const object = objectOf(item.doc)
  if ('outcome' in object) return object
  const named = slugOf(item.slug === undefined ? object.body : { slug: item.slug })
  return 'outcome' in named ? named : { identity: identify(kind, named.slug), body: object.body }
}

function outcomeOf(result: WriteOutcome, write: LocalWrite): BatchOutcome {
  const written = writtenFrom(result)
  if (written.outcome === 'refused') return { outcome: 'refused', id: write.record, refusal: written }
  return {
    outcome: written.outcome === 'changed' ? 'merged' : written.outcome === 'unchanged' ? 'unchanged' : 'created',
    id: write.record,
  }
}
