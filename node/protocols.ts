/**
 * The names under which nodes of one network find and talk to each other (PROTOCOLS.md, "Names"). The network id is
 * part of each, so that nodes of two networks have nothing to say to each other.
 */
import type { NetworkId } from '../crdt/index.ts'

/** The number of the sync messages; another number is refused in the handshake. */
export const SYNC_VERSION = 1

export const syncProtocol = (net: NetworkId): string => `/peerage/${net}/sync/1`
export const opsTopic = (net: NetworkId): string => `/peerage/${net}/ops/1`
export const kadProtocol = (net: NetworkId): string => `/peerage/${net}/kad/1`
/** mDNS labels hold 63 bytes. */
export const mdnsServiceTag = (net: NetworkId): string => `_peerage-${net}._udp.local`
