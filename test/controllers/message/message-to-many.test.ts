import { expect, test } from 'vitest'
import { readDispositions } from '../../../src/controllers/message/disposition-notification.ts'
import { writeMultipart } from '../../../src/protocols/mime/multipart.ts'
import { writeResourceLists } from '../../../src/protocols/resource-lists/resource-lists.ts'
import { writeCpim } from '../../support/cpim-text.ts'
import { alice, bob, carol, type MessageOptions, MessageRig, requestFor } from './message-rig.ts'

const text = { headers: new Map([['content-type', 'text/plain;charset=UTF-8']]), body: Buffer.from('hello all') }

function listOf(uris: readonly string[]) {
  const headers = new Map([
    ['content-type', 'application/resource-lists+xml'],
    ['content-disposition', 'recipient-list'],
  ])
  return { headers, body: writeResourceLists(uris.map((uri) => ({ uri, anonymize: false }))) }
}

function toMany(rig: MessageRig, uris: readonly string[], parts = [text], options: MessageOptions = {}) {
  return rig.controller.handleMessageToMany(requestToMany(writeMultipart([...parts, listOf(uris)], 'b'), options))
}

function requestToMany(body: Buffer, options: MessageOptions = {}) {
  const headers = [['Require', 'recipient-list-message, pref'] as const, ...(options.headers ?? [])]
  const contentType = 'multipart/mixed;boundary="b"'
  return { ...requestFor(alice, 'sip:parley.test', '', { contentType, ...options, headers, body }), recipient: '' }
}

test('every recipient gets the message without the list, once, and the sender none', async () => {
  await using rig = await MessageRig.start()
  const [own, b, c] = [rig.phone(alice, 'a1'), rig.phone(bob, 'b1'), rig.phone(carol, 'c1')]
  const uris = ['sip:bob@parley.test', 'tel:+1-555-0002', 'sip:carol@PARLEY.test', 'sip:alice@parley.test']
  expect((await toMany(rig, uris, [text], { callId: 'many' })).status).toBe(202)
  expect([own, b, c].map(({ received }) => received.length)).toEqual([0, 1, 1])
  const { request } = await c.next()
  expect(request.body).toEqual(text.body)
  expect(request.headers.get('content-type')).toBe('text/plain;charset=UTF-8')
  expect(request.headers.get('to')).toBe('<sip:carol@PARLEY.test>')
  expect(request.headers.get('call-id')).toBe('many')
  expect(request.headers.get('require')).toBe('pref')
})

test('several parts beside the list stay a multipart', async () => {
  await using rig = await MessageRig.start()
  const phone = rig.phone(bob, 'b1')
  const picture = { headers: new Map([['content-type', 'image/png']]), body: Buffer.from([137, 80, 0, 255]) }
  await toMany(rig, ['sip:bob@parley.test'], [text, picture])
  const { request } = await phone.next()
  expect(request.headers.get('content-type')).toBe('multipart/mixed;boundary="b"')
  expect(request.body).toEqual(writeMultipart([text, picture], 'b'))
})

test('202 says that every copy is delivered or kept', async () => {
  await using rig = await MessageRig.start()
  rig.phone(carol, 'c1')
  expect((await toMany(rig, ['sip:bob@parley.test', 'sip:carol@parley.test'])).status).toBe(202)
  expect(await rig.waiting()).toMatchObject([{ owner: 2, device: '' }])
})

test('a recipient that nobody knows is told of to a sender who asked, and holds up no other', async () => {
  await using rig = await MessageRig.start()
  const [own, phone] = [rig.phone(alice, 'a1'), rig.phone(bob, 'b1')]
  const body = Buffer.from(writeCpim('sip:alice@parley.test', 'sip:list@parley.test', 'm1', 'hi', 'negative-delivery'))
  const part = { headers: new Map([['content-type', 'message/cpim']]), body }
  expect((await toMany(rig, ['sip:nobody@parley.test', 'sip:bob@parley.test'], [part])).status).toBe(202)
  expect(phone.received).toHaveLength(1)
  const { request } = await own.next()
  expect(request.headers.get('from')).toContain('sip:nobody@parley.test')
  expect(readDispositions(request)).toMatchObject([{ messageId: 'm1', disposition: { status: 'failed' } }])
})

test('users of other domains get their copies there', async () => {
  await using rig = await MessageRig.start()
  const sent = toMany(rig, ['sip:dave@other.test'])
  await expect.poll(() => rig.foreign.length).toBe(1)
  expect(rig.foreign[0]?.request.uri).toBe('sip:dave@other.test')
  rig.foreign[0]?.answer(200)
  expect((await sent).status).toBe(202)
})

test('too many recipients, no list, no message, or what is no list is refused', async () => {
  await using rig = await MessageRig.start({ maxRecipients: 2 })
  const uris = ['sip:a@parley.test', 'sip:b@parley.test', 'sip:c@parley.test']
  await expect(toMany(rig, uris)).rejects.toMatchObject({ condition: 'too-many-recipients' })
  const malformed = (body: Buffer) =>
    expect(rig.controller.handleMessageToMany(requestToMany(body))).rejects.toMatchObject({ condition: 'malformed' })
  await malformed(writeMultipart([text], 'b'))
  await malformed(writeMultipart([listOf(uris.slice(0, 1))], 'b'))
  await malformed(writeMultipart([text, { ...listOf([]), body: Buffer.from('<x') }], 'b'))
  await malformed(writeMultipart([text, listOf([])], 'b'))
  await malformed(writeMultipart([text, listOf(['mailto:x@y'])], 'b'))
  await malformed(Buffer.from('no multipart'))
})
