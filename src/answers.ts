/** What a node answers, as types. The shapes are the HTTP face's; /openapi.json tells them field by field. */
import type { Problem } from './client-error.ts'

/** A record as JSON: its own fields beside those of the register. */
export type RecordJson = {
  readonly id: string
  readonly kind: string
  readonly slug: string
  readonly name: string
  readonly owner_id: string
  /** Op ids as CIDs. */
  readonly heads: readonly string[]
  readonly registered_at: number
  readonly changed_at: number
  readonly conflicts?: Readonly<Record<string, readonly ConflictValue[]>>
  readonly invalid_fields?: unknown
  readonly [field: string]: unknown
}
export type ConflictValue = {
  readonly value?: unknown
  readonly actor: string
  readonly w: number
  readonly op: string
  readonly [more: string]: unknown
}
export type Heads = {
  readonly heads: readonly string[]
  readonly conflicts: Readonly<Record<string, readonly ConflictValue[]>>
}
export type HistoryItem = {
  readonly op: string
  readonly actor: string
  readonly w: number
  readonly type: string
  readonly patch: unknown
  readonly parents: readonly string[]
}
/** `damaged`: records that are damaged on the node's disk and left out until peers have sent them again. */
export type Page<T> = { readonly items: readonly T[]; readonly damaged?: number; readonly next_cursor?: string }

/** Values to equal; `field_gte` and `field_lte` bound numbers; a list asks for all of its items. */
export type Filters = Readonly<Record<string, unknown>>
export type ListQuery = {
  readonly filters?: Filters
  /** In the filter language; counts beside `filters`. */
  readonly filter?: string
  readonly sort?: string
  readonly limit?: number
  readonly cursor?: string
}
export type SearchQuery = {
  readonly query?: string
  /** A text is in the filter language. */
  readonly filters?: Filters | string
  /** Of a search over all kinds. */
  readonly kinds?: readonly string[]
  readonly facets?: readonly string[]
  readonly sort?: string
  readonly limit?: number
  readonly cursor?: string
  /** Copies of one thing under the one that is meant. */
  readonly collapse?: boolean
  /** What each score is made of. */
  readonly explain?: boolean
}
export type SearchAnswer = {
  readonly items: readonly {
    readonly record: RecordJson
    readonly score: number
    /** With `collapse`: other records found that are copies of it. */
    readonly copies?: number
    /** With `explain`: what adds up to the score. */
    readonly parts?: Readonly<Record<string, number>>
    readonly highlights?: Readonly<Record<string, string>>
  }[]
  readonly facets: Readonly<Record<string, readonly { readonly value: unknown; readonly count: number }[]>>
  readonly total: number
  readonly total_capped?: boolean
  /** Records that are damaged on the node's disk and left out until peers have sent them again. */
  readonly damaged?: number
  /** It had cost too much and was cut: not all is here. */
  readonly partial?: boolean
  readonly next_cursor?: string
  readonly index_behind?: number
}
export type SearchToSave = Pick<SearchQuery, 'query' | 'filters' | 'kinds'> & { readonly name: string }
export type SavedSearch = SearchToSave & {
  /** The last arrival number when it was saved. */
  readonly since: number
  /** The path where it is followed. */
  readonly changes: string
}
export type Field = {
  /** Dotted path. */
  readonly name: string
  /** By its kind's table. */
  readonly type?: string
  readonly unit?: string
  readonly note?: string
  /** Of the values that records have. */
  readonly types: readonly string[]
  readonly records: number
  readonly values: readonly { readonly value: unknown; readonly count: number }[]
}
/** `partial`: counting was cut when it had cost too much. */
export type Fields = { readonly fields: readonly Field[]; readonly partial?: true }
export type BatchError = string | (Problem & { readonly message?: string })
export type BatchLine = {
  readonly i: number
  readonly id?: string
  readonly outcome: 'created' | 'merged' | 'unchanged' | 'refused'
  readonly error?: BatchError
}
export type Peer = {
  readonly peer_id: string
  readonly multiaddr?: string
  readonly root_equal?: boolean
  readonly ops_behind?: number
}
export type Status = {
  readonly version: string
  readonly network: string
  readonly network_id: string
  readonly peer_id: string | null
  readonly did: string | null
  readonly multiaddrs: readonly string[]
  readonly records: Readonly<Record<string, number>>
  readonly ops: number
  readonly root: string | null
  readonly pending: number
  readonly peers: readonly Peer[]
  readonly sync: Readonly<Record<string, unknown>>
  readonly search: { readonly seq: number; readonly behind: number }
  readonly seq: number
  readonly epoch: string
  readonly state_hash?: string
}

/** One grant of an owner. */
export type GrantStatus = {
  readonly op: string
  readonly to: string
  readonly by: string
  readonly rights: readonly string[]
  readonly kinds?: readonly string[]
  readonly records?: readonly string[]
  /** JSON Pointers; missing: all. */
  readonly fields?: readonly string[]
  /** ms since 1970. */
  readonly expires_at?: number
  readonly chain: readonly string[]
  readonly holds: boolean
  readonly taken_by?: readonly string[]
}

/** GET /v1/authority/{owner} */
export type OwnerAuthority = {
  readonly owner: string
  readonly authority: string
  readonly ops: readonly string[]
  readonly grants: readonly GrantStatus[]
}

/** GET .../authority of a record. */
export type RecordAuthority = Omit<OwnerAuthority, 'ops'> & {
  readonly ops: readonly {
    readonly op: string
    readonly actor: string
    readonly chain: readonly string[]
    readonly rank?: number
    readonly voided_by?: readonly string[]
    readonly erased?: true
    readonly inert?: true
  }[]
  readonly equivocations: readonly (readonly string[])[]
}

export type Revoked = { readonly revoke: string; readonly keeps: readonly string[]; readonly kept: number }
export type Rotated = { readonly rotate: string; readonly keeps: readonly string[]; readonly kept: number }

export type Block = {
  readonly target: string
  readonly is: 'did' | 'record' | 'peer'
  /** ms since 1970. */
  readonly at: number
  readonly reason?: string
}

/** 0 is no bound. */
export type Quota = { readonly ops_per_hour?: number; readonly records?: number; readonly bytes?: number }
export type OwnerQuota = { readonly did: string; readonly quota: Required<Quota>; readonly used: Required<Quota> }
export type Quotas = {
  readonly default: Required<Quota>
  readonly items: readonly { readonly did: string; readonly quota: Quota }[]
}
