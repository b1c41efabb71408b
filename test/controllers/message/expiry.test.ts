import { expect, test } from 'vitest'
import { readDispositions } from '../../../src/controllers/message/disposition-notification.ts'
import { writeCpim } from '../../support/cpim-text.ts'
import { eventually } from '../../support/eventually.ts'
import { alice, bob, MessageRig } from './message-rig.ts'

const toBob = 'sip:bob@parley.test'
const aliceUri = 'sip:alice@parley.test'
const cpim = (want?: string) => ({
  contentType: 'message/cpim',
  body: Buffer.from(writeCpim(aliceUri, toBob, 'id-1', 'hello', want)),
})

test('what expires is gone, and its sender told if they asked for it', async () => {
  await using rig = await MessageRig.start()
  const options = { ...cpim('positive-delivery, negative-delivery'), headers: [['Expires', '60']] as const }
  expect((await rig.message(alice, toBob, '', options)).status).toBe(202)
  const phone = rig.phone(alice, 'a1')
  rig.ahead = 61_000
  await rig.controller.sweep()
  const { request } = await phone.next()
  expect(request.headers.get('from')).toContain('<sip:bob@parley.test>')
  expect(request.headers.get('p-asserted-identity')).toBe('<sip:parley.test>')
  expect(readDispositions(request)).toMatchObject([
    { messageId: 'id-1', recipientUri: toBob, disposition: { kind: 'delivery', status: 'failed' } },
  ])
  await eventually(async () => expect(await rig.rows()).toEqual([]))
  expect(rig.register(bob, 'p1').received).toEqual([])
})

test('an absent sender finds the notification on return', async () => {
  await using rig = await MessageRig.start({ keepDays: 1 })
  await rig.message(alice, toBob, '', cpim('negative-delivery'))
  rig.ahead = 86_401_000
  await rig.controller.sweep()
  expect(await rig.waiting()).toMatchObject([{ owner: 1, device: '' }])
  const { request } = await rig.register(alice, 'a1').next()
  expect(readDispositions(request)).toHaveLength(1)
})

test('a notification that expires causes none, nor does a message that did not ask', async () => {
  await using rig = await MessageRig.start({ keepDays: 1 })
  await rig.message(alice, toBob, '', cpim('negative-delivery'))
  await rig.message(alice, toBob, '', {
    ...cpim('positive-delivery'),
    callId: 'other',
    body: Buffer.from(writeCpim(aliceUri, toBob, 'id-2', 'x', 'display')),
  })
  rig.ahead = 86_401_000
  await rig.controller.sweep()
  expect(await rig.waiting()).toHaveLength(1)
  rig.ahead = 3 * 86_401_000
  await rig.controller.sweep()
  expect(await rig.waiting()).toEqual([])
  expect(await rig.rows()).toEqual([])
})

test('a device that never came is no failure where another has accepted', async () => {
  await using rig = await MessageRig.start()
  rig.known.set(2, ['tablet'])
  rig.phone(bob, 'phone')
  const phone = rig.phone(alice, 'a1')
  await rig.message(alice, toBob, '', { ...cpim('negative-delivery'), headers: [['Expires', '60']] })
  rig.ahead = 61_000
  await rig.controller.sweep()
  expect(await rig.waiting()).toEqual([])
  expect(await rig.rows()).toEqual([])
  expect(phone.received).toEqual([])
})

test('a stored message outlives its waiting', async () => {
  await using rig = await MessageRig.start({ storing: true })
  await rig.message(alice, toBob, 'x', { headers: [['Expires', '60']] })
  rig.ahead = 61_000
  await rig.controller.sweep()
  expect(await rig.waiting()).toEqual([])
  expect(await rig.rows()).toHaveLength(2)
})

test('more than one batch expires in one sweep', async () => {
  await using rig = await MessageRig.start()
  await Promise.all(Array.from({ length: 150 }, () => rig.message(alice, toBob, 'x', { headers: [['Expires', '60']] })))
  rig.ahead = 61_000
  await rig.controller.sweep()
  expect(await rig.rows()).toEqual([])
  expect(rig.controller.counts.expired).toBe(150)
})
