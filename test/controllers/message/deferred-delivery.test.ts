import { expect, test } from 'vitest'
import type { SipRequest } from '../../../src/protocols/sip/message.ts'
import { eventually } from '../../support/eventually.ts'
import { alice, bob, MessageRig } from './message-rig.ts'

const toBob = 'sip:bob@parley.test'
const texts = (received: readonly { request: SipRequest }[]) => received.map(({ request }) => request.body.toString())

test('what waits is delivered oldest first, one at a time', async () => {
  await using rig = await MessageRig.start()
  const sent = Array.from({ length: 200 }, (_, index) => `message ${index}`)
  for (const text of sent) await rig.message(alice, toBob, text)
  const phone = rig.register(bob, 'p1', { answers: 'wait' })
  ;(await phone.next()).answer(200)
  await phone.next().then(({ answer }) => answer(200))
  expect(phone.received).toHaveLength(2)
  phone.answers = 200
  ;(await phone.next()).answer(200)
  await eventually(() => expect(phone.received).toHaveLength(200))
  expect(texts(phone.received)).toEqual(sent)
  await eventually(async () => expect(await rig.rows()).toEqual([]))
})

test('a device that goes away in the middle keeps the rest, and gets it when it is back', async () => {
  await using rig = await MessageRig.start()
  for (let index = 0; index < 20; index++) await rig.message(alice, toBob, `message ${index}`)
  let answered = 0
  const phone = rig.register(bob, 'p1', { answers: () => (answered++ < 5 ? 200 : 480) })
  await eventually(async () =>
    expect((await rig.waiting()).map(({ attempts }) => attempts)).toEqual([1, ...Array(14).fill(0)]),
  )
  expect(phone.received).toHaveLength(6)
  expect((await rig.waiting()).every(({ leased }) => !leased)).toBe(true)
  const back = rig.register(bob, 'p1')
  await eventually(async () => expect(await rig.waiting()).toEqual([]))
  expect(texts(back.received)).toEqual(Array.from({ length: 15 }, (_, index) => `message ${index + 5}`))
})

test('after a failure the next attempt comes by itself, after a time that grows', async () => {
  await using rig = await MessageRig.start()
  await rig.message(alice, toBob, 'hello')
  const phone = rig.register(bob, 'p1', { answers: 503 })
  for (let attempts = 1; attempts <= 4; attempts++) {
    await eventually(async () => expect(await rig.waiting()).toMatchObject([{ attempts, leased: false }]))
    expect(phone.received).toHaveLength(attempts)
    rig.ahead += 900 * 2 ** (attempts - 1)
    await rig.controller.sweep()
    expect(phone.received).toHaveLength(attempts)
    rig.ahead += 200 * 2 ** (attempts - 1)
    if (attempts === 4) phone.answers = 200
    await rig.controller.sweep()
  }
  await eventually(async () => expect(await rig.waiting()).toEqual([]))
  expect(phone.received).toHaveLength(5)
})

test('a message that a device does not want holds up no other', async () => {
  await using rig = await MessageRig.start()
  for (const text of ['one', 'odd', 'three']) await rig.message(alice, toBob, text)
  const phone = rig.register(bob, 'p1', { answers: ({ body }) => (body.toString() === 'odd' ? 415 : 200) })
  await eventually(async () => expect(await rig.waiting()).toMatchObject([{ attempts: 1, leased: false }]))
  expect(texts(phone.received)).toEqual(['one', 'odd', 'three'])
})

test('a registration while messages are delivered changes the way at once', async () => {
  await using rig = await MessageRig.start()
  for (const text of ['one', 'two']) await rig.message(alice, toBob, text)
  const phone = rig.register(bob, 'p1', { answers: 'wait' })
  const first = await phone.next()
  const moved = rig.register(bob, 'p1')
  first.answer(200)
  expect((await moved.next()).request.body.toString()).toBe('two')
  await eventually(async () => expect(await rig.waiting()).toEqual([]))
})

test('what a dead process had claimed is delivered when its lease is over', async () => {
  await using rig = await MessageRig.start()
  await rig.message(alice, toBob, 'hello')
  const soon = new Date(Date.now() + 30_000)
  await rig.database.knex('deferred').update({ leased_until: soon, next_at: soon })
  const phone = rig.register(bob, 'p1')
  await rig.controller.sweep()
  expect(phone.received).toHaveLength(0)
  rig.ahead = 31_000
  await rig.controller.sweep()
  expect((await phone.next()).request.body.toString()).toBe('hello')
  await eventually(async () => expect(await rig.waiting()).toEqual([]))
})

test('a user who registers while the message is being kept gets it all the same', async () => {
  await using rig = await MessageRig.start()
  const sending = rig.message(alice, toBob, 'hello')
  const phone = rig.phone(bob, 'p1')
  expect((await sending).status).toBe(202)
  rig.ahead = 3000
  await rig.controller.sweep()
  expect((await phone.next()).request.body.toString()).toBe('hello')
  await eventually(async () => expect(await rig.waiting()).toEqual([]))
})

test('at the end what is under way is given back', async () => {
  const rig = await MessageRig.start()
  await using _ = rig
  for (const text of ['one', 'two']) await rig.message(alice, toBob, text)
  const phone = rig.register(bob, 'p1', { answers: 'wait' })
  await phone.next()
  await rig.controller.close()
  expect(await rig.waiting()).toMatchObject([
    { attempts: 0, leased: false },
    { attempts: 0, leased: false },
  ])
})

test('many devices are served at once, more than may be at a time', async () => {
  await using rig = await MessageRig.start()
  const devices = Array.from({ length: 300 }, (_, index) => `p${index}`)
  rig.known.set(2, devices)
  await rig.message(alice, toBob, 'to all')
  const phones = devices.map((name) => rig.register(bob, name))
  await eventually(async () => expect(await rig.rows()).toEqual([]))
  expect(phones.map(({ received }) => received.length)).toEqual(Array(300).fill(1))
})
