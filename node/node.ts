/**
 * A running node: one replica on disk, its search index, and the network around it.
 *
 * `open` makes every part that has a lifetime, wires them and starts them; disposing stops them in the reverse order.
 * Nothing else is decided here.
 */
import { createServer } from 'node:net'
import { join } from 'node:path'
import { keyToDid, networkId, ownerOfKey } from '../crdt/index.ts'
import { Authorities } from './authorities.ts'
import { backupRows } from './backup.ts'
import { Catalogue } from './catalogue.ts'
import type { Disk } from './disk.ts'
import { LevelDisk } from './disk-level.ts'
import type { NodeFace, RequestFacts, Status, Storage } from './face.ts'
import { GiveBack } from './give-back.ts'
import { Gossip } from './gossip.ts'
import { Indexer } from './indexer.ts'
import { FileJournal } from './journal.ts'
import { openFolder, openPeerSeed, openSigner, openWebhookSecret } from './keys.ts'
import { listenPortDefault } from './limits.ts'
import { Metrics } from './metrics.ts'
import { checkRuntime, machineEnvironment, nativeSuite, zstdCodec } from './native.ts'
import { type Network, openNetwork } from './network.ts'
import { PolicyLog } from './policy-log.ts'
import type { Quota } from './quota.ts'
import { finishRepair } from './repair.ts'
import { Replica } from './replica.ts'
import type { Log } from './replica-types.ts'
import { SegmentIndex } from './search-index.ts'
import type { Weights } from './search-rank.ts'
import { nameChangedSecrets } from './secrets-seen.ts'
import { ownerSet } from './sets.ts'
import { readStatus } from './status.ts'
import { freeBytes, storageOf } from './storage.ts'
import { Sync } from './sync.ts'
import type { SessionResult } from './sync-session.ts'
import { tallyFile } from './tally.ts'
import { TokenStore } from './tokens.ts'
import { Verifier } from './verifier.ts'
import { webhookNetwork } from './webhook-target.ts'
import { Webhooks } from './webhooks.ts'

export type NodeOptions = {
  /** Folder that holds everything; made when it is not there. */
  readonly data: string
  /** `name` or `name#<32 hex>`. */
  readonly network: string
  /** Multiaddrs; none = loopback, on the usual port or, when that is taken, a free one. */
  readonly listen: readonly string[]
  readonly join: readonly string[]
  readonly mdns: boolean
  /** Neither listens nor dials. */
  readonly offline: boolean
  /** Kinds and owners that this node takes part in (sets.ts); none = everything. Its own records are always among them. */
  readonly sets?: readonly string[]
  /** What live intake takes of one owner or actor; no bounds when left out. */
  readonly quota?: Quota
  /** Webhooks may lead to this machine and its private networks. */
  readonly webhooksLocal?: boolean
  /** What the parts of a search's score are worth, where that is not as usual. */
  readonly searchWeights?: Partial<Weights>
  readonly version: string
  readonly log?: Log
}

type Parts = {
  readonly options: NodeOptions
  readonly disk: Disk
  readonly replica: Replica
  readonly indexer: Indexer
  readonly network: Network
  readonly sync: Sync
  readonly gossip: Gossip
  readonly metrics: Metrics
  readonly tokens: TokenStore
  readonly webhooks: Webhooks
  readonly lastSession: () => SessionResult | undefined
  /** Everything above and under it, in the order in which it was opened. */
  readonly opened: readonly AsyncDisposable[]
}

const silent: Log = () => {}

export class Node implements NodeFace, AsyncDisposable {
  readonly version: string
  readonly networkName: string
  readonly replica: Replica
  readonly catalogue: Catalogue
  readonly authorities: Authorities
  readonly indexer: Indexer
  readonly sync: Sync
  /** Tokens besides the main one. */
  readonly tokens: TokenStore
  readonly webhooks: Webhooks
  readonly peerId: string
  readonly did: string | undefined
  readonly storage: () => Promise<Storage>
  readonly #parts: Parts
  #isReady = false
  #closed: Promise<void> | undefined

  /**
   * NodeError: 'bad-runtime', 'key-unsafe', 'store-locked' (another process has the folder), 'store-format',
   * 'store-corrupt', 'wrong-network', 'address-in-use'. What was opened before a failure is closed again.
   */
  static async open(options: NodeOptions): Promise<Node> {
    const opened: AsyncDisposable[] = []
    try {
      const node = await assemble(options, opened)
      // The network comes last: a peer that is answered must find a store that is complete.
      await node.#parts.sync.start()
      node.#parts.gossip.start()
      await node.#parts.network.start()
      return node
    } catch (error) {
      await closeAll(opened)
      throw error
    }
  }

  /** Of parts that are open but not started; callers want `open`. */
  constructor(parts: Parts) {
    const { options, replica, indexer, network, sync } = parts
    this.#parts = parts
    this.version = options.version
    this.networkName = options.network
    this.storage = storageOf(options.data, machineEnvironment.clock.monotonic)
    this.replica = replica
    this.indexer = indexer
    this.sync = sync
    this.tokens = parts.tokens
    this.webhooks = parts.webhooks
    this.peerId = network.self
    this.did = replica.actor === undefined ? undefined : keyToDid(replica.actor)
    this.catalogue = new Catalogue(replica, indexer, options.searchWeights)
    this.authorities = new Authorities(replica)
    replica.ready.then(
      () => {
        this.#isReady = true
      },
      () => {}, // the replica has logged it; the node answers reads and is not ready
    )
  }

  multiaddrs(): readonly string[] {
    return this.#parts.network.multiaddrs()
  }

  ready(): boolean {
    return this.#isReady
  }

  status(options: { readonly stateHash?: boolean } = {}): Promise<Status> {
    const { replica, indexer, sync, lastSession } = this.#parts
    const session = lastSession()
    return readStatus(
      {
        version: this.version,
        networkName: this.networkName,
        replica,
        index: indexer,
        ready: this.#isReady,
        peerId: this.peerId,
        multiaddrs: this.multiaddrs(),
        peers: sync.peers(),
        sync: { sessions: sync.running, ...sync.totals, ...(session && { last: sessionFacts(session) }) },
      },
      options,
    )
  }

  backup(): AsyncIterable<Uint8Array> {
    return backupRows(this.#parts.disk)
  }

  metrics(): Promise<string> {
    return this.#parts.metrics.text()
  }

  countRequest(facts: RequestFacts): void {
    this.#parts.metrics.request(facts)
  }

  /** Once; a second call waits for the first. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= closeAll(this.#parts.opened)
    return this.#closed
  }
}

/** Opens every part; what is open is in `opened` also when one of them fails. */
async function assemble(options: NodeOptions, opened: AsyncDisposable[]): Promise<Node> {
  const { data, log = silent } = options
  const environment = machineEnvironment
  const own = <T extends AsyncDisposable>(part: T): T => {
    opened.push(part)
    return part
  }
  checkRuntime()
  const warning = await openFolder(data)
  if (warning !== undefined) log('warn', warning)
  const signer = await openSigner(data)
  await finishRepair(data)
  const disk = own(await LevelDisk.open(join(data, 'ops')))
  for (const { name, what } of disk.damaged?.logs ?? [])
    log('error', 'a log of the store is damaged; what it lost is looked for', { name, what, kept: disk.damaged?.kept })
  const journal = own(await FileJournal.open(join(data, 'journal')))
  const checker = own(new Verifier())
  const refusals = new PolicyLog(log, environment.clock)
  const metrics: Metrics = new Metrics(() => readGauges(), {
    node: { version: options.version, network: options.network, gauges: () => readNodeGauges() },
  })
  const replica = own(
    await Replica.open({
      disk,
      environment,
      suite: nativeSuite,
      checker,
      net: networkId(options.network),
      signer,
      journal,
      tally: tallyFile(join(data, 'tally')),
      ...(options.sets?.length && { sets: [...options.sets, ownerSet(ownerOfKey(signer.key))] }),
      codec: zstdCodec,
      log,
      ...(options.quota && { quota: options.quota }),
      onAdmitted: (admitted, source) => {
        metrics.admitted(admitted, source.via)
        refusals.admitted(admitted, source)
      },
    }),
  )
  const index = own(SegmentIndex.begin(join(data, 'search'), { log }))
  const indexer = own(await Indexer.open({ replica, index, environment, log }))
  const giveBack = new GiveBack(environment.clock.after)
  replica.onAppended(({ first, last }) => giveBack.note(last - first + 1))
  own({ [Symbol.asyncDispose]: async () => giveBack.stop() })
  const tokens = new TokenStore(data, { log })
  const webhooks = own(
    await Webhooks.open({
      replica,
      environment,
      network: webhookNetwork({ local: options.webhooksLocal ?? false }),
      master: await openWebhookSecret(data),
      allowed: (owner, kinds) => tokens.allows(owner, kinds),
      log,
    }),
  )
  const network = own(await openNetworkOf(options, replica))
  await nameChangedSecrets(data, replica, log)
  let last: SessionResult | undefined
  const sync = own(
    new Sync({
      replica,
      transport: network,
      environment,
      log,
      onSession: (session) => {
        last = session
        if (session.rootEqual) replica.metPeer()
        log('info', 'sync session', sessionFacts(session))
      },
    }),
  )
  const gossip = own(
    new Gossip({
      replica,
      transport: network,
      environment,
      log,
      fetch: (peer, ids, live) => sync.fetch(peer, ids, live),
      behind: (peer) => sync.soon(peer),
      news: () => sync.news(),
    }),
  )
  replica.policy.onChange((target) => {
    if (target.is === 'peer') network.look(target.name)
    // Whoever has what was refused gives it now.
    else sync.news()
  })
  const readGauges = () => ({
    ...replica.counts(),
    pendingOps: replica.pending().ops,
    pendingBytes: replica.pending().bytes,
    searchBehind: indexer.behind,
    peers: network.peers().length,
    damagedOps: replica.health().damagedOps,
    withheldOps: replica.withheldOps(),
  })
  const readNodeGauges = () => ({
    ready: replica.health().set !== 'loading',
    peersDiffering: sync.peers().filter(({ root_equal }) => root_equal === false).length,
    forkedRecords: replica.health().forkedRecords,
    restored: replica.health().restored === true,
    lostOps: replica.health().lostOps,
    openCheckMs: replica.health().checkMs,
    diskFreeBytes: freeBytes(data),
  })
  metrics.follow(() => [network.counters, sync.counters, gossip.counters, webhooks.counters])
  return new Node({
    options,
    disk,
    replica,
    indexer,
    network,
    sync,
    gossip,
    metrics,
    tokens,
    webhooks,
    lastSession: () => last,
    opened,
  })
}

/** In the reverse order. The first failure is told, and the rest is closed all the same. */
async function closeAll(opened: readonly AsyncDisposable[]): Promise<void> {
  let failure: unknown
  for (const part of opened.toReversed()) {
    try {
      await part[Symbol.asyncDispose]()
    } catch (error) {
      failure ??= error
    }
  }
  if (failure !== undefined) throw failure
}

/** Loopback on the usual port unless told otherwise; a second node on one machine takes a free port. */
async function openNetworkOf(options: NodeOptions, replica: Replica): Promise<Network> {
  const { data, join: known, mdns, offline, listen, log } = options
  return openNetwork({
    net: replica.net,
    seed: await openPeerSeed(data),
    listen: listen.length > 0 ? listen : [await usualAddress()],
    join: known,
    // On loopback alone there is nobody to be found by multicast.
    mdns: mdns && listen.length > 0,
    offline,
    environment: machineEnvironment,
    refuses: (peer) => replica.policy.blocksPeer(peer),
    peers: { load: () => replica.note('peers'), save: (bytes) => replica.setNote('peers', bytes) },
    log,
  })
}

/** The same port at every start, so that peers find the node again; a free one when another process has it. */
async function usualAddress(): Promise<string> {
  const isFree = await new Promise<boolean>((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(listenPortDefault, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
  return `/ip4/127.0.0.1/tcp/${isFree ? listenPortDefault : 0}`
}

function sessionFacts(session: SessionResult) {
  return {
    peer_id: session.peer,
    ops_in: session.opsIn,
    ops_out: session.opsOut,
    bytes_in: session.bytesIn,
    bytes_out: session.bytesOut,
    ms: Math.round(session.ms),
    root_equal: session.rootEqual ?? null,
    set: session.set,
    ...(session.by !== undefined && { found_by: session.by }),
    end: session.end,
    ...(session.why !== undefined && { why: session.why }),
  }
}
