/** A benchmark's node process as its parent sees it: calls with answers, ended by its pid. */
import { fork } from 'node:child_process'
import { resolve } from 'node:path'
import type { Calls } from './calls.ts'

const program = resolve(import.meta.dirname, 'child.ts')

export class BenchProcess implements AsyncDisposable {
  readonly #child
  readonly #exited: Promise<void>
  #next = 1
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()

  constructor(options: { readonly unsynced?: boolean } = {}) {
    this.#child = fork(program, options.unsynced ? ['--unsynced'] : [], {
      // As `npm start` has it, but for the first.
      execArgv: ['--expose-gc', '--max-semi-space-size=8'],
      env: {
        ...process.env,
        MALLOC_ARENA_MAX: '1',
        MALLOC_MMAP_THRESHOLD_: '65536',
        MALLOC_TRIM_THRESHOLD_: '131072',
      },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#exited = new Promise((done) => this.#child.once('exit', () => done()))
    this.#child.on('message', ({ id, result, error }: { id: number; result: never; error?: string }) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error !== undefined) waiting?.reject(new Error(error))
      else waiting?.resolve(result)
    })
    void this.#exited.then(() => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the benchmark process ended'))
    })
  }

  call<C extends keyof Calls>(
    name: C,
    ...[args]: Parameters<Calls[C]> extends [] ? [] : Parameters<Calls[C]>
  ): ReturnType<Calls[C]> {
    const id = this.#next++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#child.send({ id, call: name, args })
    }) as ReturnType<Calls[C]>
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    await this.call('close').catch(() => {})
    this.#child.disconnect()
    await this.#exited
  }
}
