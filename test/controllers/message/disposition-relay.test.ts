import { deflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { isDispositionNotification } from '../../../src/controllers/message/index.ts'
import { writeMultipart } from '../../../src/protocols/mime/multipart.ts'
import { type Disposition, writeCpim, writeCpimNotification, writeImdn } from '../../support/cpim-text.ts'
import { eventually } from '../../support/eventually.ts'
import { alice, bob, carol, type MessageOptions, MessageRig, requestFor } from './message-rig.ts'

const aliceUri = 'sip:alice@parley.test'
const bobUri = 'sip:bob@parley.test'

const wrapped = (id: string, disposition: Disposition): MessageOptions => ({
  contentType: 'message/cpim',
  body: Buffer.from(writeCpimNotification(bobUri, aliceUri, writeImdn(id, disposition, bobUri))),
})

function bare(id: string, disposition: Disposition): MessageOptions {
  const body = deflateSync(Buffer.from(writeImdn(id, disposition, bobUri)))
  return { contentType: 'message/imdn+xml', headers: [['Content-Encoding', 'deflate']], body }
}

function notify(rig: MessageRig, options: MessageOptions, from = bob) {
  return rig.controller.handleNotification(requestFor(from, aliceUri, '', options))
}

test('with several devices the sender sees one delivered and one displayed, in that order', async () => {
  await using rig = await MessageRig.start()
  const phone = rig.phone(alice, 'a1')
  for (const disposition of ['delivered', 'delivered', 'displayed', 'delivered', 'displayed'] as const) {
    expect((await notify(rig, wrapped('m1', disposition))).status).toBe(200)
  }
  expect(phone.received).toHaveLength(2)
  expect(rig.controller.counts.absorbed).toBe(3)
})

test('each recipient of a message counts by themself', async () => {
  await using rig = await MessageRig.start()
  const phone = rig.phone(alice, 'a1')
  await notify(rig, wrapped('m1', 'delivered'), bob)
  await notify(rig, wrapped('m1', 'delivered'), carol)
  expect(phone.received).toHaveLength(2)
})

test('Linphone’s bare and deflated notification passes with its bytes as they came', async () => {
  await using rig = await MessageRig.start()
  const phone = rig.phone(alice, 'a1')
  const options = bare('some-call-id', 'delivered')
  expect(isDispositionNotification(requestFor(bob, aliceUri, '', options).message)).toBe(true)
  await notify(rig, options)
  await notify(rig, options)
  expect(phone.received).toHaveLength(1)
  expect(phone.received[0]?.request.body).toEqual(options.body)
  expect(phone.received[0]?.request.headers.get('content-encoding')).toBe('deflate')
})

test('an absent sender gets the notification on return', async () => {
  await using rig = await MessageRig.start()
  expect((await notify(rig, wrapped('m1', 'delivered'))).status).toBe(202)
  const { request } = await rig.register(alice, 'a1').next()
  expect(isDispositionNotification(request)).toBe(true)
})

test('stored messages carry their state, which only moves forward, also after a restart', async () => {
  await using rig = await MessageRig.start({ storing: true })
  const phone = rig.phone(alice, 'a1')
  rig.phone(bob, 'b1')
  await rig.message(alice, bobUri, '', {
    contentType: 'message/cpim',
    body: Buffer.from(writeCpim(aliceUri, bobUri, 'm1', 'hello', 'display')),
  })
  await rig.message(alice, bobUri, 'plain', { callId: 'plain-call' })
  await notify(rig, wrapped('m1', 'displayed'))
  await notify(rig, bare('plain-call', 'delivered'))
  expect((await rig.rows()).map(({ owner, disposition }) => [owner, disposition]).sort()).toEqual([
    [1, 3],
    [1, 5],
    [2, 3],
    [2, 5],
  ])
  expect(phone.received).toHaveLength(2)
  const other = rig.restarted()
  await other.handleNotification(requestFor(bob, aliceUri, '', wrapped('m1', 'delivered')))
  expect(phone.received).toHaveLength(2)
  await other.close()
})

test('a notification that could not be passed on may come again', async () => {
  await using rig = await MessageRig.start({ absent: 'discard' })
  await expect(notify(rig, wrapped('m1', 'delivered'))).rejects.toMatchObject({ condition: 'absent' })
  const phone = rig.phone(alice, 'a1')
  expect((await notify(rig, wrapped('m1', 'delivered'))).status).toBe(200)
  expect(phone.received).toHaveLength(1)
})

test('one that cannot be read, and one about an unknown message, are passed on', async () => {
  await using rig = await MessageRig.start()
  const phone = rig.phone(alice, 'a1')
  await notify(rig, { contentType: 'message/imdn+xml', body: Buffer.from('<imdn>') })
  await notify(rig, wrapped('never seen', 'displayed'))
  await eventually(() => expect(phone.received).toHaveLength(2))
})

test('notifications are told by their content alone', () => {
  const of = (contentType: string, body: Buffer | string, headers: [string, string][] = []) =>
    isDispositionNotification(requestFor(bob, aliceUri, '', { contentType, body: Buffer.from(body), headers }).message)
  const xml = Buffer.from(writeImdn('m', 'delivered', bobUri))
  const part = { headers: new Map([['content-type', 'message/imdn+xml']]), body: xml }
  const text = { headers: new Map([['content-type', 'text/plain']]), body: Buffer.from('about imdn+xml') }
  const cpim = writeCpimNotification(bobUri, aliceUri, xml.toString())
  expect(of('Message/IMDN+xml; charset=UTF-8', xml)).toBe(true)
  expect(of('message/cpim', cpim)).toBe(true)
  expect(of('message/cpim', deflateSync(Buffer.from(cpim)), [['Content-Encoding', 'deflate']])).toBe(true)
  expect(of('multipart/mixed; boundary=b', writeMultipart([part, part], 'b'))).toBe(true)
  expect(of('multipart/mixed; boundary=b', writeMultipart([part, text], 'b'))).toBe(false)
  expect(of('text/plain', 'message/imdn+xml')).toBe(false)
  expect(of('message/cpim', writeCpim(bobUri, aliceUri, 'm', 'message/imdn+xml'))).toBe(false)
  expect(of('message/cpim', 'Content-Type: message/imdn+xml')).toBe(false)
  expect(of('message/cpim', deflateSync(Buffer.alloc(5_000_000)), [['Content-Encoding', 'deflate']])).toBe(false)
})
