import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { Audience } from '../../node/search-audience.ts'
import { idle } from '../support/manual-clock.ts'

test('what was told is taken when whoever listens says so, or is gone, or nobody listens', async () => {
  const audience = new Audience()
  const settled: string[] = []
  const note = (name: string) => audience.taken().then(() => settled.push(name))
  audience.tell({ news: 'lost' })
  await note('nobody')

  const { port1, port2 } = new MessageChannel()
  audience.attach(port1)
  audience.tell({ news: 'lost' })
  const first = note('first')
  audience.tell({ news: 'lost' })
  const second = note('second')
  const [{ number }] = await once(port2, 'message')
  await idle()
  expect(settled).toEqual(['nobody'])
  port2.postMessage({ taken: number })
  await first
  expect(settled).toEqual(['nobody', 'first'])
  port2.close()
  await second

  const other = new MessageChannel()
  audience.attach(other.port1)
  audience.tell({ news: 'lost' })
  const third = note('third')
  audience.close()
  await third
  expect(settled).toEqual(['nobody', 'first', 'second', 'third'])
})
