import { expect, test } from 'vitest'
import { MessageCopy, type PassedMessage } from '../../src/media/bridge/message-copy.ts'
import { OneMessage } from '../../src/media/bridge/one-message.ts'
import { ByteBudget } from '../../src/media/endpoint/byte-budget.ts'
import { eventually } from '../support/eventually.ts'
import { nothingOpen, Rig } from './msrp-rig.ts'

/** Two clients with a session for one message, of which a copy is kept. */
async function pairWithCopy(rig: Rig, options: { budget?: number; keep?: () => Promise<void> } = {}) {
  const { budget = 10_000, keep = async () => {} } = options
  const memory = new ByteBudget(budget)
  const copied: PassedMessage[] = []
  const copy = new MessageCopy(
    {
      memory,
      keep: (message) => {
        copied.push(message)
        return keep()
      },
    },
    10_000,
  )
  const over = { count: 0 }
  const one = new OneMessage(copy, () => {
    over.count += 1
  })
  return { ...(await rig.pair(one)), memory, copied, over, one }
}

test('the copy of a message that comes in chunks is whole, and its sender hears 200 when it is kept', async () => {
  await using rig = await Rig.start()
  let kept = () => {}
  const keeping = new Promise<void>((resolve) => {
    kept = resolve
  })
  const { a, b, copied, memory, one } = await pairWithCopy(rig, { keep: () => keeping })
  a.client.send({ to: a.session.path, messageId: 'one', body: 'hello ', range: '1-6/11', flag: '+' })
  a.client.send({ to: a.session.path, messageId: 'one', body: 'again', range: '7-11/11' })
  for (let count = 0; count < 2; count++) b.client.respond(await b.client.receive())
  expect((await a.client.receive()).what).toBe('200 OK')
  await eventually(() => expect(copied).toHaveLength(1))
  expect(copied[0]).toMatchObject({ messageId: 'one', contentType: 'text/plain', body: Buffer.from('hello again') })
  expect(memory.inUse).toBe(11)
  kept()
  expect((await a.client.receive()).what).toBe('200 OK')
  expect(memory.inUse).toBe(0)
  one.close()
})

test('a message that cannot be kept is refused, though it has passed', async () => {
  await using rig = await Rig.start()
  const { a, b, one } = await pairWithCopy(rig, { keep: () => Promise.reject(new Error('no database')) })
  a.client.send({ to: a.session.path, body: 'hello' })
  b.client.respond(await b.client.receive())
  expect((await a.client.receive()).what).toMatch(/^413/)
  one.close()
})

test('a copy for which there is no memory refuses the message, and holds nothing', async () => {
  await using rig = await Rig.start()
  const { a, b, copied, memory, one } = await pairWithCopy(rig, { budget: 100 })
  a.client.send({ to: a.session.path, messageId: 'one', body: 'x'.repeat(90), range: '1-90/180', flag: '+' })
  b.client.respond(await b.client.receive())
  expect((await a.client.receive()).what).toBe('200 OK')
  a.client.send({ to: a.session.path, messageId: 'one', body: 'x'.repeat(90), range: '91-180/180' })
  expect((await a.client.receive()).what).toMatch(/^413/)
  one.close()
  expect([copied.length, memory.inUse]).toEqual([0, 0])
})

test('what has come of a message that is not finished is freed at the end of its session', async () => {
  await using rig = await Rig.start()
  const { a, b, copied, memory, one } = await pairWithCopy(rig)
  a.client.send({ to: a.session.path, messageId: 'one', body: 'hello', range: '1-5/10', flag: '+' })
  b.client.respond(await b.client.receive())
  await a.client.receive()
  expect(memory.inUse).toBe(5)
  one.close()
  expect([copied.length, memory.inUse]).toEqual([0, 0])
})

test('a second message is refused, and the session is over', async () => {
  await using rig = await Rig.start()
  const { a, b, over, one } = await pairWithCopy(rig)
  a.client.send({ to: a.session.path, messageId: 'one', body: 'first' })
  b.client.respond(await b.client.receive())
  expect((await a.client.receive()).what).toBe('200 OK')
  expect(over.count).toBe(0)
  b.client.send({ to: b.session.path, messageId: 'two', body: 'second' })
  expect((await b.client.receive()).what).toBe('403 Forbidden')
  expect(over.count).toBe(1)
  one.close()
})

test('nothing is left behind', nothingOpen)
