/**
 * The checks of `peerage doctor`, one entry each, in the order in which they are told. A check only looks: it answers
 * what it found and, where something is wrong, what to do. A new one is an entry in `CHECKS`.
 */
import { access, constants, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { checkSecretMode, clockAheadMsMax, freeBytes, listTokens } from '../../node/index.ts'
import type { Status } from '../answers.ts'
import { otherOwner } from '../folder-owner.ts'
import { doctorAskMs, doctorClockMs, doctorFreeBytes, doctorFreeBytesMin, doctorLookMs } from '../limits.ts'
import { programVersion } from '../version.ts'
import type { Patient } from './patient.ts'

/** 'wrong' makes the doctor leave with 1; 'unsure' does not, and 'unknown' says that it could not be looked at. */
export type State = 'good' | 'unsure' | 'wrong' | 'unknown'
export type Finding = { readonly state: State; readonly said: string; readonly todo?: string }
export type Check = {
  readonly name: string
  readonly look: (patient: Patient) => Promise<Finding | readonly Finding[]>
}

export const CHECKS: readonly Check[] = [
  { name: 'runtime', look: runtime },
  { name: 'folder', look: folder },
  { name: 'secrets', look: secrets },
  { name: 'disk', look: disk },
  { name: 'lock', look: lock },
  { name: 'format', look: format },
  { name: 'ops', look: ops },
  { name: 'damage', look: damage },
  { name: 'signing', look: signing },
  { name: 'search', look: search },
  { name: 'clock', look: clock },
  { name: 'reachability', look: reachability },
  { name: 'peers', look: peers },
  { name: 'divergence', look: divergence },
]

const good = (said: string): Finding => ({ state: 'good', said })
const unknown = (said: string): Finding => ({ state: 'unknown', said })
const unsure = (said: string, todo: string): Finding => ({ state: 'unsure', said, todo })
const wrong = (said: string, todo: string): Finding => ({ state: 'wrong', said, todo })

const NOT_RUNNING = 'no node runs on the folder'

async function runtime(patient: Patient): Promise<Finding> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < 22 || (major === 22 && minor < 18)) return wrong(`Node ${process.version}`, 'Use Node 22.18 or later.')
  const held = await patient.held()
  const mine = programVersion()
  if (held.by === 'node' && held.status.version !== mine)
    return unsure(`the node runs version ${held.status.version}, this is ${mine}`, 'Restart the node after an upgrade.')
  return good(`Node ${process.version}, version ${mine}`)
}

async function folder({ data }: Patient): Promise<Finding> {
  const facts = await stat(data).catch(() => undefined)
  if (facts === undefined) return unsure(`${data} is not there`, 'The first start makes it.')
  const mode = facts.mode & 0o777
  const owner = otherOwner(data)
  if (owner !== undefined) {
    return wrong(
      `${data} belongs to user ${owner}, and this is user ${process.getuid?.()}`,
      'Run as that user: whoever else opens the store leaves files that the node cannot open.',
    )
  }
  const isMine = await access(data, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
  if (!isMine) return wrong(`${data} cannot be written`, 'Run as the user the folder belongs to.')
  if (process.platform !== 'win32' && (mode & 0o077) !== 0)
    return unsure(`others can look into ${data} (mode 0${mode.toString(8)})`, `chmod 700 ${data}`)
  return good(data)
}

async function secrets({ data, settings }: Patient): Promise<readonly Finding[]> {
  const named = [settings.token_file, settings.key_file].filter((path) => path !== undefined)
  const paths = [...['key', 'peer-key', 'token', 'webhook-secret'].map((name) => join(data, name)), ...named]
  const found: Finding[] = []
  let checked = 0
  for (const path of paths) {
    try {
      await checkSecretMode(path)
      checked++
    } catch (error) {
      // Those of the folder are made at the first start.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        found.push(wrong((error as Error).message, `If others may have read it, replace it; else chmod 600 ${path}`))
      }
    }
  }
  for (const token of await listTokens(data)) {
    if ('problem' in token) found.push(wrong(`token ${token.name}: ${token.problem}`, 'Make the token again.'))
    else checked++
  }
  return found.length > 0 ? found : [good(`${checked} files that only their owner can read`)]
}

async function disk({ data }: Patient): Promise<Finding> {
  const free = freeBytes(data) ?? freeBytes(join(data, '..'))
  if (free === undefined) return unknown('the system does not say how much is free')
  const said = `${(free / 1e9).toFixed(1)} GB free`
  if (free < doctorFreeBytesMin) return wrong(said, 'Make room: a full disk refuses writes.')
  return free < doctorFreeBytes ? unsure(said, 'Make room before an import or a large sync.') : good(said)
}

async function lock(patient: Patient): Promise<Finding> {
  const held = await patient.held()
  const file = patient.nodeFile()
  if (held.by === 'node') return good(`a node runs (process ${file?.pid ?? 'unknown'}) and answers at ${file?.http}`)
  if (held.by === 'silence') return wrong(held.why, 'Wait for it, or end that process and start the node again.')
  if (held.by === 'stranger') return unknown(held.why)
  if (file !== undefined)
    return unsure('node.json says that a node runs, and none does: it was killed', 'The next start sets it right.')
  return good(NOT_RUNNING)
}

async function format(patient: Patient): Promise<Finding> {
  const held = await patient.held()
  if (held.by === 'node') return good('the running node knows the format')
  if (held.by !== 'nobody') return unknown(whyNot(held))
  const { format: written, formatKnown } = held.store
  if (written === undefined) return wrong('the row that says the format is damaged', `${REPAIR}.`)
  if (written > formatKnown)
    return wrong(
      `format ${written}, this program knows ${formatKnown}`,
      'Use the version that wrote it, or a newer one.',
    )
  return good(
    written < formatKnown ? `format ${written}; the next start brings it to ${formatKnown}` : `format ${written}`,
  )
}

async function ops(patient: Patient): Promise<Finding> {
  const held = await patient.held()
  if (held.by === 'node') {
    const { ops: count, root, pending } = held.status
    if (root === null || !held.ready)
      return unsure('the set of ops is still being loaded', 'Ask again in a minute; if it stays so, read the log.')
    const waits = pending > 0 ? `, ${number(pending)} wait for a parent` : ''
    return good(`${number(count)} ops, root ${root}${waits}`)
  }
  if (held.by !== 'nobody') return unknown(whyNot(held))
  const { ops: count, counted, root, rootLeft, lostOps } = held.store
  const refetch = 'Start with --join: peers are asked for what is missing. Then look at the disk.'
  if (counted === undefined)
    return wrong('the row that counts the ops is damaged', 'Start the node: it builds the store anew from its frames.')
  if (lostOps > 0) return wrong(`the newest ${number(lostOps)} ops are gone`, refetch)
  if (counted !== count) return wrong(`${number(count)} ops are there, and ${number(counted)} were counted`, refetch)
  if (rootLeft !== undefined && rootLeft !== root)
    return wrong(`the ops are not those that the last shutdown left (root ${root}, then ${rootLeft})`, refetch)
  const how = rootLeft === undefined ? 'after a kill, all that was counted' : 'as the last shutdown left them'
  return good(`${number(count)} ops, root ${root}, ${how}`)
}

async function damage(patient: Patient): Promise<Finding | readonly Finding[]> {
  const held = await patient.held()
  if (held.by === 'damage') return wrong(held.why, `${REPAIR}, and peers are asked for the rest.`)
  if (held.by === 'node') {
    const damaged = held.metrics.get('peerage_damaged_ops') ?? 0
    const lost = held.metrics.get('peerage_lost_ops') ?? 0
    if (lost > 0)
      return wrong(
        `${number(lost)} ops were gone at the start`,
        'Connect a peer that holds them, and look at the disk.',
      )
    if (damaged === 0) return good('nothing damaged was met since the start')
    return wrong(`${number(damaged)} ops are damaged on disk`, 'Connect a peer that holds them, and look at the disk.')
  }
  if (held.by !== 'nobody') return unknown(whyNot(held))
  const { frames, damagedFrames, damagedRecords, waitingFrames, logsKept } = held.store
  const found: Finding[] = []
  if (damagedFrames > 0) {
    const said = `${number(damagedFrames)} of ${number(frames)} frames are damaged`
    found.push(wrong(said, 'Start with --join: their ops are fetched again. Look at the disk.'))
  }
  if (damagedRecords > 0)
    found.push(wrong(`the rows of ${number(damagedRecords)} records are damaged`, `${REPAIR}. Look at the disk.`))
  if (waitingFrames > 0) {
    const said = `${number(waitingFrames)} frames wait for ops that are lost here`
    found.push(unsure(said, 'Start with --join: they go in as soon as a peer has sent those.'))
  }
  for (const name of logsKept)
    found.push(unsure(`a start met a damaged log, kept in ${name}`, `${REPAIR}; then delete that folder.`))
  return found.length > 0 ? found : good(`${number(frames)} frames read back as written, in files that are whole`)
}

const ALONE = 'Start with --join, or run `peerage repair --alone` when no other node holds what the key has signed.'
const REPAIR = 'Stop the node and run `peerage repair`: it makes a good store of what can be read'

async function signing(patient: Patient): Promise<Finding> {
  const held = await patient.held()
  const waits = 'a restored backup, or a journal that was lost: nothing is signed until a peer was met'
  const todo = 'Connect a peer that has the newer ops. `peerage repair --alone` says that no node has.'
  if (held.by === 'node') {
    const forked = held.metrics.get('peerage_forked_records') ?? 0
    if (held.metrics.get('peerage_restored') === 1) return wrong(waits, todo)
    if (forked > 0) return wrong(`${number(forked)} records are not signed: the store is older than the journal`, todo)
    return good('the store holds all that the journal says was signed')
  }
  if (held.by !== 'nobody') return unknown(whyNot(held))
  if (held.store.journal !== undefined) return wrong(held.store.journal, `${REPAIR}.`)
  if (held.store.journalLost) return wrong('the signing journal is gone, or its end is', ALONE)
  return held.store.restored ? unsure(waits, ALONE) : good('compared with the journal at the next start')
}

async function search(patient: Patient): Promise<Finding> {
  const held = await patient.held()
  if (held.by !== 'node') return unknown('brought up to the ops when the node starts')
  let { behind } = held.status.search
  if (behind === 0) return good('caught up')
  // A node that takes ops in is always a little behind: what counts is whether it moves.
  const client = await patient.client()
  const from = held.status.search.seq
  for (const until = performance.now() + doctorLookMs; performance.now() < until; ) {
    await delay(100)
    const now: Status | undefined = await client?.status().catch(() => undefined)
    if (now === undefined) break
    behind = now.search.behind
    if (behind === 0) return good('caught up')
    if (now.search.seq > from) return good(`${number(behind)} ops behind, and catching up`)
  }
  return wrong(`${number(behind)} ops behind, and not moving`, 'Stop the node, delete its folder search/, start it.')
}

async function clock(patient: Patient): Promise<readonly Finding[]> {
  if (Date.now() < BUILT) return [wrong(`the clock says ${new Date().toISOString()}`, 'Set the clock.')]
  const told = (await patient.peers()).filter((peer) => 'status' in peer && peer.aheadMs !== undefined)
  if (told.length === 0) return [unknown('compared with a peer that --peer names')]
  return told.map((peer) => {
    const aheadMs = 'status' in peer ? (peer.aheadMs ?? 0) : 0
    const apart = `${Math.abs(aheadMs / 1000).toFixed(0)} s ${aheadMs > 0 ? 'behind' : 'ahead of'} ${peer.url}`
    if (Math.abs(aheadMs) > clockAheadMsMax)
      return wrong(apart, 'Set the clock: ops of a clock that is 10 minutes ahead wait outside.')
    if (Math.abs(aheadMs) > doctorClockMs) return unsure(apart, 'Let the clock be set from the network (NTP).')
    return good(`within ${doctorClockMs / 1000} s of ${peer.url}`)
  })
}

/** No clock of today is before this. */
const BUILT = Date.UTC(2025, 0, 1)

async function reachability(patient: Patient): Promise<readonly Finding[]> {
  const held = await patient.held()
  const found: Finding[] = []
  if (held.by === 'node' && !patient.settings.offline) {
    const own = held.status.multiaddrs
    if (own.length === 0) found.push(unsure('the node listens for no peers', 'Start it without --offline.'))
    for (const address of own) {
      const isOpen = await answers(address)
      if (isOpen === undefined) continue
      found.push(
        isOpen
          ? good(`${address} answers`)
          : wrong(`${address} does not answer from here`, 'Is a firewall between the node and its own address?'),
      )
    }
    if (own.length > 0 && own.every((address) => /^\/ip[46]\/(127\.|::1\/)/.test(address)))
      found.push(good('only this machine reaches it; --listen names an address for others'))
  }
  for (const address of patient.settings.join) {
    const isOpen = await answers(address)
    if (isOpen === undefined) continue
    found.push(
      isOpen
        ? good(`${address} (join) answers`)
        : wrong(`${address} (join) does not answer`, 'Is that node up, and its port open?'),
    )
  }
  return found.length > 0 ? found : [unknown(NOT_RUNNING)]
}

/** Whether a TCP connection to the address comes about; undefined for an address of another kind. */
async function answers(multiaddr: string): Promise<boolean | undefined> {
  const match = /^\/(?:ip4|ip6|dns4|dns6|dns)\/([^/]+)\/tcp\/(\d+)/.exec(multiaddr)
  if (match === null) return undefined
  return new Promise((done) => {
    const socket = connect({ host: match[1]!, port: Number(match[2]), timeout: doctorAskMs })
    const end = (isOpen: boolean) => {
      socket.destroy()
      done(isOpen)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}

async function peers(patient: Patient): Promise<Finding> {
  const held = await patient.held()
  if (held.by !== 'node') return unknown(NOT_RUNNING)
  const { peers: connected } = held.status
  if (connected.length === 0) {
    const todo = 'Look at "reachability", and at the log of the node.'
    return patient.settings.join.length > 0
      ? wrong('no peer is connected, though some are to be joined', todo)
      : good('no peer is connected, and none is to be joined')
  }
  const other = connected.filter(({ root_equal }) => root_equal === false)
  if (other.length === 0) return good(`${connected.length} connected, none known to differ`)
  const most = Math.max(...other.map(({ ops_behind = 0 }) => ops_behind))
  return unsure(
    `${other.length} of ${connected.length} had another root at the last comparison${most > 0 ? `, with up to ${number(most)} ops more` : ''}`,
    'Ask again in a minute; sync is under way or fails, which the log says.',
  )
}

async function divergence(patient: Patient): Promise<readonly Finding[]> {
  const held = await patient.held()
  const asked = await patient.peers()
  if (asked.length === 0) return [unknown('compared with a peer that --peer names')]
  const mine =
    held.by === 'node'
      ? { root: held.status.root, ops: held.status.ops, net: held.status.network_id }
      : held.by === 'nobody'
        ? { root: held.store.root, ops: held.store.ops, net: held.store.net }
        : undefined
  return asked.map((peer) => {
    if ('why' in peer) return wrong(`${peer.url}: ${peer.why}`, 'Is that node up, and the URL right?')
    if (mine === undefined) return unknown(whyNot(held))
    const { root, ops: theirs, network, network_id: net } = peer.status
    if (net !== mine.net) return wrong(`${peer.url} is of another network (${network})`, 'They never hold the same.')
    if (root === null || mine.root === null) return unknown(`${peer.url}: a set is still being loaded`)
    if (root === mine.root) return good(`${peer.url} holds the same ${number(theirs)} ops`)
    const apart = theirs - mine.ops
    const by =
      apart === 0
        ? `as many ops (${number(theirs)}), and not the same`
        : `${number(Math.abs(apart))} ops ${apart > 0 ? 'more' : 'fewer'} (${number(theirs)}, here ${number(mine.ops)})`
    // A stopped folder falls behind; two running nodes should not stay apart.
    const todo = 'Ask again in a minute; if it stays so, see whether the two are connected and what the log refuses.'
    return held.by === 'node'
      ? wrong(`${peer.url} has ${by}`, todo)
      : unsure(`${peer.url} has ${by}`, 'Start the node.')
  })
}

function whyNot(held: { readonly by: string; readonly why?: string }): string {
  return held.by === 'nothing' ? 'there is no store yet' : (held.why ?? NOT_RUNNING)
}

function number(n: number): string {
  return n.toLocaleString('en-US')
}
