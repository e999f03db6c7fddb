/**
 * repair: makes a good store of what can be read of a damaged one, keeps the damaged one, and says what is lost. The node
 * must be stopped; what is lost it fetches from peers at its next start.
 */
import { join } from 'node:path'
import { networkId } from '../../crdt/index.ts'
import { NodeError, repairFolder } from '../../node/index.ts'
import { otherOwner } from '../folder-owner.ts'
import type { Context } from './context.ts'
import { EXIT, Failure } from './output.ts'
import { count } from './show.ts'

export async function run({ out, resolved, options }: Context): Promise<void> {
  const { data, network } = resolved.settings
  const owner = otherOwner(data)
  if (owner !== undefined) throw new Failure(EXIT.usage, `${data} belongs to user ${owner}; repair it as that user`)
  out.progress('reading what can be read ...')
  const repaired = await repairFolder(data, networkId(network), { alone: options.alone === true }).catch((error) => {
    if (error instanceof NodeError && error.code === 'store-locked')
      throw new Failure(EXIT.conflict, `${error.message}; stop the node first`)
    throw error
  })
  out.clearProgress()
  const { damagedFiles, damagedRows, ops, lost, waiting, journal, kept } = repaired
  if (out.json) {
    const damaged = { damaged_files: damagedFiles, damaged_rows: damagedRows }
    return out.value({ data, ops, lost: lost ?? null, waiting_frames: waiting, ...damaged, journal, kept })
  }
  for (const { name, what } of damagedFiles) out.talk(`${join('ops', name)}: ${what}`)
  if (damagedRows > 0) out.talk(`${count(damagedRows, 'row')} did not read back as written`)
  await out.data(`${data}: ${count(ops, 'op')}${lost === undefined || lost === 0 ? '' : `, ${count(lost, 'op')} lost`}`)
  if (lost === undefined) out.talk('how many there were cannot be read any more')
  if (waiting > 0)
    out.talk(`${count(waiting, 'frame')} wait for ops that are lost, and go in when a peer has sent those`)
  if (journal === 'repaired')
    out.talk(`the signing journal was damaged${options.alone ? '' : ': nothing is signed until a peer was met'}`)
  out.talk(`what was there before: ${kept.join(', ')}; delete it when the node has what it should`)
  if (lost !== 0 || waiting > 0) out.talk('start the node with --join: peers are asked for what is missing')
}
