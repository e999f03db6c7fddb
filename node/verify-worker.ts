/**
 * One thread that checks signatures: packed groups in, a byte for each signature out (verifier.ts writes and reads
 * them). It loads little, so that it starts in no time, and holds no state but imported keys.
 */
import { parentPort } from 'node:worker_threads'
import { verifyPrefiltered } from './ed25519.ts'
import { unpackGroup } from './verify-group.ts'

parentPort!.on('message', ({ id, group }: { id: number; group: Uint8Array }) => {
  const verdicts = Uint8Array.from(unpackGroup(group), ({ key, message, signature }) =>
    verifyPrefiltered(key, message, signature) ? 1 : 0,
  )
  parentPort!.postMessage({ id, verdicts }, [verdicts.buffer])
})
