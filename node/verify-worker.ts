/**
 * One thread that checks signatures: packed groups in, a byte for each signature out (verifier.ts writes and reads
 * them). It holds no state but imported keys.
 */
import { parentPort } from 'node:worker_threads'
import { nativeSuite } from './native.ts'
import { unpackGroup } from './verify-group.ts'

parentPort!.on('message', ({ id, group }: { id: number; group: Uint8Array }) => {
  const verdicts = Uint8Array.from(unpackGroup(group), ({ key, message, signature }) =>
    nativeSuite.verify(key, message, signature) ? 1 : 0,
  )
  parentPort!.postMessage({ id, verdicts }, [verdicts.buffer])
})
