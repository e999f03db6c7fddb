/**
 * The catalogue: records as people write and read them, over the replica that holds their ops and the index that
 * finds them. Every face (HTTP, command line, MCP) calls these operations and puts the typed outcomes in its own words.
 *
 * A write is decided on the record as it is inside the one writer, so `when` and "does it exist" cannot race. What a
 * caller's document says wrong is an outcome with its place, never an exception; a failing disk or a full queue
 * rejects with NodeError.
 */
import {
  type Decide,
  decideDelete,
  decideMergePatch,
  decideRegister,
  decideReplace,
  type JsonObject,
  type Kind,
  kindOf,
  type Merged,
  type Op,
  type OpId,
  type Owner,
  ownerOfKey,
  ownerToDid,
  type RecordId,
  recordId,
} from '../crdt/index.ts'
import { type BatchItem, type BatchOutcome, writeBatch } from './catalogue-batch.ts'
import {
  blocked,
  type Identity,
  missing,
  notFound,
  notOwner,
  type Place,
  type Refusal,
  readOnly,
  type WriteOptions,
  type Written,
  writtenFrom,
} from './catalogue-outcome.ts'
import { find, type Listed, type ListQuery, matcher, type SearchFace, waitForIndex } from './catalogue-search.ts'
import { localWrite, objectOf, slugOf } from './catalogue-write.ts'
import { NodeError } from './errors.ts'
import { type ListedFields, listFields } from './field-list.ts'
import { kindsMeant } from './filter-fields.ts'
import { type Matches, matchesIn } from './match-feed.ts'
import { nativeSuite } from './native.ts'
import type { ReplicaFace } from './replica-types.ts'
import type { Matcher } from './saved-match.ts'
import { SavedSearches } from './saved-searches.ts'
import type { QueryProblem } from './search.ts'
import type { Weights } from './search-rank.ts'

export type { BatchItem, BatchOutcome } from './catalogue-batch.ts'
export type { FieldError, Place, Refusal, RefusalCode, WriteOptions, Written } from './catalogue-outcome.ts'
export type { Listed, ListQuery, SearchFace } from './catalogue-search.ts'
export type { ListedField } from './field-list.ts'

/** genesis, put, patch, delete. */
const WRITES = [1, 2, 3, 4]

export type Read = { readonly outcome: 'found'; readonly record: Merged } | Refusal

export class Catalogue {
  /** Searches that are kept by name. */
  readonly saved: SavedSearches
  readonly #replica: ReplicaFace
  readonly #search: SearchFace
  readonly #weights: Partial<Weights>
  /** The owner of what this node signs; undefined when it has no key. */
  readonly #own: Owner | undefined

  constructor(replica: ReplicaFace, search: SearchFace, weights: Partial<Weights> = {}) {
    this.#weights = weights
    this.saved = new SavedSearches(replica)
    this.#replica = replica
    this.#search = search
    this.#own = replica.actor === undefined ? undefined : ownerOfKey(replica.actor)
  }

  /**
   * Registers a document under its slug (`slug`, else `name`) in this node's own namespace, or `options.owner`'s. One op. A deleted record
   * is restored by a put above the tombstone. Refuses: invalid, exists, precondition, too-large, not-owner,
   * read-only.
   */
  async register(kind: Kind, json: unknown, options: WriteOptions = {}): Promise<Written> {
    const own = this.#own
    if (own === undefined) return readOnly
    const object = objectOf(json)
    if ('outcome' in object) return object
    const named = slugOf(object.body)
    if ('outcome' in named) return named
    const identity = this.#identity(kind, options.owner ?? own, named.slug)
    if (!(await this.#mayWrite(identity))) return notOwner
    return this.#write(identity, decideRegister, object.body, options)
  }

  /**
   * Makes the document what the record says. Nothing is written when it says so already. A record of ours that does
   * not exist yet is created when the place names owner and slug, and a deleted one is restored.
   */
  async replace(place: Place, json: unknown, options: WriteOptions = {}): Promise<Written> {
    const identity = await this.#writable(place, { create: true })
    if ('outcome' in identity) return identity
    const object = objectOf(json)
    return 'outcome' in object ? object : this.#write(identity, decideReplace, object.body, options)
  }

  /** RFC 7396. A path in conflict that the patch names is always written: that is how a conflict is settled. */
  async mergePatch(place: Place, patch: unknown, options: WriteOptions = {}): Promise<Written> {
    const identity = await this.#writable(place)
    if ('outcome' in identity) return identity
    const object = objectOf(patch)
    return 'outcome' in object ? object : this.#write(identity, decideMergePatch, object.body, options)
  }

  /** Writes a tombstone. The history stays readable. */
  async remove(place: Place, options: WriteOptions = {}): Promise<Written> {
    const identity = await this.#writable(place)
    if ('outcome' in identity) return identity
    return this.#write(identity, decideDelete, {}, options)
  }

  /** One outcome per item, in order; equal slugs see each other's writes. At most `httpBatchLinesMax` items a call. */
  async batch(
    items: readonly BatchItem[],
    options: { readonly lenient?: boolean; readonly replace?: boolean } = {},
  ): Promise<readonly BatchOutcome[]> {
    const own = this.#own
    if (own === undefined) return items.map(() => ({ outcome: 'refused', refusal: readOnly }))
    return writeBatch(this.#replica, (kind, slug) => this.#identity(kind, own, slug), items, options)
  }

  async read(place: Place): Promise<Read> {
    const record = await this.#record(place)
    if (record === undefined) return this.absent(place)
    return record.live ? { outcome: 'found', record } : missing(record)
  }

  /** Live or deleted. */
  async readAny(place: Place): Promise<Merged | undefined> {
    return this.#record(place)
  }

  /** Why there is no record to be seen. */
  async absent(place: Place): Promise<Refusal> {
    const { policy } = this.#replica
    const id = this.#idOf(place)
    const isBlocked = 'owner' in place ? policy.blocksRecord(id, place.owner) : await this.#replica.isBlocked(id)
    return isBlocked ? blocked : notFound
  }

  /** Newest op first; also of a deleted record. `after` is the last op of the page before. */
  async history(
    place: Place,
    options: { readonly limit: number; readonly after?: OpId },
  ): Promise<{ readonly outcome: 'found'; readonly items: readonly Op[]; readonly next?: OpId } | Refusal> {
    const record = await this.#record(place)
    if (record === undefined) return this.absent(place)
    return { outcome: 'found', ...(await this.#replica.history(record.record, options)) }
  }

  /** Searches and lists (a list is a search without text). Waits up to 1 s for the index to reach the last op. */
  async find(query: ListQuery): Promise<Listed | QueryProblem> {
    return find(this.#replica, this.#search, { weights: this.#weights, ...query })
  }

  /** The search as a test of one record (saved-match.ts says in what it is stricter than `find`). */
  matcher(query: Omit<ListQuery, 'limit'>): Matcher | QueryProblem {
    return matcher(query)
  }

  /** What the next `limit` changes after `since` mean to who follows this search. */
  matches(matcher: Matcher, since: number, limit: number): Promise<Matches> {
    return matchesIn(this.#replica, matcher, since, limit)
  }

  /** The fields of these kinds (undefined = all): what the tables say of them, and what the records have there. */
  async fields(kinds?: readonly string[]): Promise<ListedFields> {
    await waitForIndex(this.#replica, this.#search)
    const { fields, partial } = await this.#search.fields(kinds)
    return { fields: listFields(kindsMeant(kinds), fields), ...(partial && { partial }) }
  }

  #identity(kind: Kind, owner: string, slug: string): Identity {
    return {
      kind,
      id: recordId({ net: this.#replica.net, owner, kind: kind.name, slug }, nativeSuite.sha256),
      slug,
      owner,
      ownerDid: ownerToDid(owner),
    }
  }

  /** Whether our key may make some write there: which, the writer looks at when it is made. */
  async #mayWrite({ owner, id, kind }: Pick<Identity, 'owner' | 'id' | 'kind'>): Promise<boolean> {
    const { actor } = this.#replica
    if (actor === undefined || owner === this.#own) return actor !== undefined
    const authority = await this.#replica.authority(owner)
    return WRITES.some((type) => authority.viaFor(actor, { type, record: id, w: 0 }, kind.name) !== undefined)
  }

  #idOf(place: Place): RecordId {
    return 'id' in place ? place.id : recordId({ net: this.#replica.net, ...place }, nativeSuite.sha256)
  }

  async #record(place: Place): Promise<Merged | undefined> {
    const record = await this.#replica.record(this.#idOf(place))
    return record?.kind === place.kind ? record : undefined
  }

  /** Whether this node may write there. The writer looks again: the record may change while we wait. */
  async #writable(place: Place, options: { readonly create?: boolean } = {}): Promise<Identity | Refusal> {
    const own = this.#own
    if (own === undefined) return readOnly
    const kind = kindOf(place.kind)
    if (kind === undefined) return notFound
    if ('slug' in place) {
      const identity = this.#identity(kind, place.owner, place.slug)
      return (await this.#mayWrite(identity)) ? identity : notOwner
    }
    const record = await this.#record(place)
    if (record === undefined) return this.absent(place)
    const { owner, slug = '', live, record: id } = record
    if (!(await this.#mayWrite({ owner, id, kind }))) return notOwner
    if (!live && !options.create) return missing(record)
    return { kind, id, slug, owner, ownerDid: ownerToDid(owner) }
  }

  async #write(identity: Identity, decide: Decide, json: JsonObject, options: WriteOptions): Promise<Written> {
    if (this.#replica.policy.blocksRecord(identity.id, identity.owner)) return blocked
    const [outcome] = await this.#replica.write([localWrite(identity, decide, json, options)])
    if (outcome === undefined) throw new NodeError('store-failed', `no outcome for the write to ${identity.id}`)
    return writtenFrom(outcome)
  }
}
