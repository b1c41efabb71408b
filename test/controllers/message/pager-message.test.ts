import { expect, test } from 'vitest'
import { Failure } from '../../../src/failure.ts'
import { eventually } from '../../support/eventually.ts'
import { alice, bob, MessageRig } from './message-rig.ts'

const toBob = 'sip:bob@parley.test'

test('the only device accepts: its 200 is the sender’s, and the database is not asked', async () => {
  await using rig = await MessageRig.start()
  await eventually(() => expect(rig.statements).toBeGreaterThan(0)) // the sweep of the start
  const phone = rig.phone(bob, 'p1')
  const before = rig.statements
  const reply = await rig.message(alice, toBob, 'hello')
  expect(reply).toMatchObject({ status: 200, toTag: 'far' })
  expect((await phone.next()).request.body).toEqual(Buffer.from('hello'))
  expect(rig.statements - before).toBeLessThanOrEqual(3) // those of a sweep, should one come just now
  expect(rig.controller.counts.delivered).toBe(1)
  expect(await rig.rows()).toEqual([])
})

test('a message to an absent user is kept, and delivered when they register, as it came', async () => {
  await using rig = await MessageRig.start()
  const reply = await rig.message(alice, toBob, 'are you there?', {
    callId: 'late-1',
    headers: [['X-Odd', 'kept; as=it is']],
  })
  expect(reply.status).toBe(202)
  const phone = rig.register(bob, 'p1')
  const { request, target } = await phone.next()
  expect(request.body).toEqual(Buffer.from('are you there?'))
  expect(request.uri).toBe('sip:p1@192.0.2.1:5070')
  expect(target).toEqual({ flow: 'flow-p1', flowOnly: false })
  expect(request.headers.get('call-id')).toBe('late-1')
  expect(request.headers.get('cseq')).toBe('20 MESSAGE')
  expect(request.headers.get('x-odd')).toBe('kept; as=it is')
  expect(request.headers.has('via')).toBe(false)
  await eventually(async () => expect(await rig.waiting()).toEqual([]))
  expect(await rig.rows()).toEqual([])
})

test('with storage on, a message and what waits for it share the recipient’s row; the sender has one as well', async () => {
  await using rig = await MessageRig.start({ storing: true })
  await rig.message(alice, toBob, 'one')
  expect(await rig.rows()).toEqual([
    { owner: 1, direction: 'out', stored: true, disposition: 0 },
    { owner: 2, direction: 'in', stored: true, disposition: 0 },
  ])
  rig.register(bob, 'p1')
  await eventually(async () => expect(await rig.waiting()).toEqual([]))
  expect(await rig.rows()).toHaveLength(2)
  expect((await rig.message(alice, toBob, 'two')).status).toBe(200)
  expect(await rig.rows()).toHaveLength(4)
})

test('a device that has not accepted when another has finds its message waiting', async () => {
  await using rig = await MessageRig.start()
  rig.phone(bob, 'quick')
  const slow = rig.phone(bob, 'slow', { answers: 'wait' })
  const reply = await rig.message(alice, toBob, 'hello')
  expect(reply.status).toBe(200)
  expect(await rig.waiting()).toEqual([{ owner: 2, device: 'slow', attempts: 0, leased: true }])
  ;(await slow.next()).answer(200)
  await eventually(async () => expect(await rig.waiting()).toEqual([]))
  expect(await rig.rows()).toEqual([])
})

test('a 6xx of one device stops no other, and is tried again', async () => {
  await using rig = await MessageRig.start()
  rig.phone(bob, 'rude', { answers: 603 })
  rig.phone(bob, 'kind')
  expect((await rig.message(alice, toBob, 'hello')).status).toBe(200)
  expect(await rig.waiting()).toEqual([{ owner: 2, device: 'rude', attempts: 1, leased: false }])
})

test('nobody accepts in time: 202, and what is accepted later is not delivered again', async () => {
  await using rig = await MessageRig.start({ deliverWithin: 30 })
  const phone = rig.phone(bob, 'slow', { answers: 'wait' })
  expect((await rig.message(alice, toBob, 'hello')).status).toBe(202)
  expect(await rig.waiting()).toMatchObject([{ device: '' }, { device: 'slow', leased: true }])
  ;(await phone.next()).answer(200)
  await eventually(async () => expect(await rig.waiting()).toEqual([]))
  expect(await rig.rows()).toEqual([])
  rig.controller.deviceRegistered(phone.binding)
  await rig.controller.sweep()
  expect(phone.received).toHaveLength(1)
})

test('a binding that leads nowhere is dropped, and the message kept', async () => {
  await using rig = await MessageRig.start()
  rig.phone(bob, 'gone', { answers: 410 })
  expect((await rig.message(alice, toBob, 'hello')).status).toBe(202)
  expect(rig.dropped).toEqual(['gone'])
  expect(await rig.waiting()).toMatchObject([{ device: '' }, { device: 'gone', leased: false }])
  const back = rig.register(bob, 'gone')
  expect((await back.next()).request.body.toString()).toBe('hello')
  await eventually(async () => expect(await rig.waiting()).toEqual([]))
})

test('that the proxy before a device cannot be reached says nothing of the device', async () => {
  await using rig = await MessageRig.start()
  const phone = rig.phone(bob, 'p1', { answers: 'wait' })
  Object.assign(phone.binding, { path: ['<sip:edge.test;lr>'] })
  const sending = rig.message(alice, toBob, 'hello')
  ;(await phone.next()).answer(503, { local: true })
  expect((await sending).status).toBe(202)
  expect(rig.dropped).toEqual([])
  expect(await rig.waiting()).toMatchObject([{ device: '' }, { device: 'p1', attempts: 1 }])
})

test('two flows of one device are one way after the other, never both', async () => {
  await using rig = await MessageRig.start()
  const first = rig.phone(bob, 'p', { regId: 1, answers: 430 })
  const second = rig.phone(bob, 'p', { regId: 2 })
  expect((await rig.message(alice, toBob, 'hello')).status).toBe(200)
  expect([first.received.length, second.received.length]).toEqual([1, 1])
  expect(second.received[0]?.target).toMatchObject({ flow: 'flow-p#2', flowOnly: true })
  expect(await rig.waiting()).toEqual([])
})

test('only devices that match Accept-Contact get a message; where none does, all', async () => {
  await using rig = await MessageRig.start()
  const able = rig.phone(bob, 'able', {
    features: ';+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"',
  })
  const other = rig.phone(bob, 'other', { features: ';video' })
  const accept = (tag: string) => ({ headers: [['Accept-Contact', `*;${tag};require;explicit`]] as const })
  await rig.message(alice, toBob, 'one', accept('+g.3gpp.icsi-ref="urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg"'))
  expect([able.received.length, other.received.length]).toEqual([1, 0])
  await rig.message(alice, toBob, 'two', accept('+g.3gpp.icsi-ref="urn:other"'))
  expect([able.received.length, other.received.length]).toEqual([2, 1])
})

test('a known device that is away gets its own copy on return, whoever accepted before', async () => {
  await using rig = await MessageRig.start()
  rig.known.set(2, ['tablet', 'phone'])
  rig.phone(bob, 'phone')
  expect((await rig.message(alice, toBob, 'hello')).status).toBe(200)
  expect(await rig.waiting()).toMatchObject([{ device: 'tablet' }])
  const tablet = rig.register(bob, 'tablet')
  expect((await tablet.next()).request.body.toString()).toBe('hello')
  await eventually(async () => expect(await rig.rows()).toEqual([]))
})

test('what nobody accepted goes to whoever comes first, and still to each known device', async () => {
  await using rig = await MessageRig.start()
  rig.known.set(2, ['tablet', 'phone'])
  await rig.message(alice, toBob, 'hello')
  expect((await rig.waiting()).map(({ device }) => device)).toEqual(['', 'phone', 'tablet'])
  const stranger = rig.register(bob, 'new')
  await stranger.next()
  await eventually(async () => expect((await rig.waiting()).map(({ device }) => device)).toEqual(['phone', 'tablet']))
  const phone = rig.register(bob, 'phone')
  const tablet = rig.register(bob, 'tablet')
  await Promise.all([phone.next(), tablet.next()])
  await eventually(async () => expect(await rig.rows()).toEqual([]))
  expect([stranger, phone, tablet].map(({ received }) => received.length)).toEqual([1, 1, 1])
})

test('a request that comes again after a lost answer is no second message', async () => {
  await using rig = await MessageRig.start()
  await rig.message(alice, toBob, 'hello', { callId: 'again' })
  expect((await rig.message(alice, toBob, 'hello', { callId: 'again' })).status).toBe(202)
  expect(await rig.waiting()).toHaveLength(1)
  await rig.message(alice, toBob, 'hello', { callId: 'another' })
  expect(await rig.waiting()).toHaveLength(2)
})

test('with absent: discard, a message to nobody is answered 480, and one that failed with its failure', async () => {
  await using rig = await MessageRig.start({ absent: 'discard' })
  await expect(rig.message(alice, toBob, 'hello')).rejects.toMatchObject({ condition: 'absent' })
  rig.phone(bob, 'p1', { answers: 486 })
  rig.phone(bob, 'p2', { answers: 603 })
  expect((await rig.message(alice, toBob, 'hello')).status).toBe(486)
  expect(await rig.rows()).toEqual([])
})

test('Expires: 0 asks for now or never', async () => {
  await using rig = await MessageRig.start()
  await expect(rig.message(alice, toBob, 'hello', { headers: [['Expires', '0']] })).rejects.toThrow(Failure)
})

test('a message too large or for nobody known is refused', async () => {
  await using rig = await MessageRig.start({ maxBytes: 10 })
  await expect(rig.message(alice, toBob, 'x'.repeat(11))).rejects.toMatchObject({ condition: 'message-too-large' })
  await expect(rig.message(alice, 'sip:nobody@parley.test', 'x')).rejects.toMatchObject({
    condition: 'recipient-unknown',
  })
})

test('above the queue limit new messages are refused at once', async () => {
  await using rig = await MessageRig.start({ maxQueue: 1 })
  const phone = rig.phone(bob, 'p1', { answers: 'wait' })
  const first = rig.message(alice, toBob, 'one')
  await expect(rig.message(alice, toBob, 'two')).rejects.toMatchObject({ condition: 'overloaded', retryAfter: 2 })
  ;(await phone.next()).answer(200)
  expect((await first).status).toBe(200)
})
