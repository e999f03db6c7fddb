/** A replica on a disk in memory, with a clock that stands still and signatures checked where they are. */

import { nativeSuite } from '../../node/native.ts'
import { Replica } from '../../node/replica.ts'
import type { ReplicaOptions, SignatureChecker } from '../../node/replica-types.ts'
import { FaultyDisk } from './faulty-disk.ts'
import { manualEnvironment } from './manual-clock.ts'
import { net } from './publisher.ts'

export type LogLine = { readonly level: string; readonly message: string; readonly facts?: Record<string, unknown> }

export class CountingChecker implements SignatureChecker {
  checked = 0

  async verify(items: Parameters<SignatureChecker['verify']>[0]): Promise<readonly boolean[]> {
    this.checked += items.length
    return items.map(({ key, message, signature }) => nativeSuite.verify(key, message, signature))
  }
}

export async function openReplica<D extends ReplicaOptions['disk'] = FaultyDisk>(
  options: Partial<ReplicaOptions> & { disk?: D } = {},
) {
  const disk = options.disk ?? (new FaultyDisk() as unknown as D)
  const environment = manualEnvironment()
  const checker = new CountingChecker()
  const logged: LogLine[] = []
  const replica = await Replica.open({
    environment,
    checker,
    suite: nativeSuite,
    net,
    log: (level, message, facts) => {
      // Tests do not close what they leave.
      if (!message.startsWith('the last end was not')) logged.push({ level, message, facts })
    },
    ...options,
    disk,
  })
  await replica.ready
  // Writes wait until the journal was compared.
  if (options.signer !== undefined) await replica.write([])
  return { replica, disk, clock: environment.clock, checker, logged }
}
