/**
 * Whose a data folder is. LevelDB writes as it opens, so a command that root runs on the folder of another user would
 * leave files there that the node cannot open any more.
 */
import { statSync } from 'node:fs'

/** The user id of the owner when that is not who runs this; undefined when it is, or there is no such thing. */
export function otherOwner(folder: string): number | undefined {
  const mine = process.getuid?.()
  const owner = statSync(folder, { throwIfNoEntry: false })?.uid
  return mine === undefined || owner === undefined || owner === mine ? undefined : owner
}
