import { expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { CapabilityController } from '../../src/media/capability/index.ts'
import {
  ByteBudget,
  type EndpointNeeds,
  MessageEndpoint,
  type ReceivedMessage,
  type Taking,
} from '../../src/media/endpoint/index.ts'
import { chatSdp, sdpAttribute } from '../support/chat-sdp.ts'
import { eventually } from '../support/eventually.ts'
import type { MsrpClient } from '../support/msrp-client.ts'
import { Rig } from './msrp-rig.ts'

const capability = new CapabilityController()
const types = { acceptTypes: ['message/cpim', 'text/plain'], acceptWrappedTypes: ['text/plain', 'message/imdn+xml'] }

function endpointOf({ plane }: Rig, needs: Partial<EndpointNeeds> = {}): MessageEndpoint {
  return new MessageEndpoint({
    ...{ capability, msrp: plane, host: '127.0.0.1', maxMessageBytes: 1000, memory: new ByteBudget(10_000) },
    ...{ connectWithin: 10_000, idleAfter: 10_000 },
    ...needs,
  })
}

const textOf = (sdp: Buffer) => sdp.toString('latin1')
const pathOf = (sdp: Buffer) => sdpAttribute(textOf(sdp), 'path') ?? ''

/** An endpoint that has answered a client, who is connected. */
async function answered(rig: Rig, onMessage: Taking['onMessage'], needs: Partial<EndpointNeeds> = {}) {
  const [endpoint, client] = [endpointOf(rig, needs), await rig.client()]
  const offer = Buffer.from(chatSdp({ path: client.path }))
  const answer = await endpoint.answer(offer, { ...types, onMessage })
  client.send({ to: pathOf(answer) })
  expect((await client.receive()).what).toBe('200 OK')
  return { endpoint, client, offer, answer, to: pathOf(answer) }
}

/** An endpoint whose offer a client has taken. */
async function offered(rig: Rig, take: Partial<Taking> = {}) {
  const [endpoint, client] = [endpointOf(rig), await rig.client()]
  const offer = endpoint.offer({ ...types, ...take })
  await endpoint.answered(Buffer.from(chatSdp({ path: client.path })))
  client.send({ to: pathOf(offer) })
  expect((await client.receive()).what).toBe('200 OK')
  return { endpoint, client, offer, to: pathOf(offer) }
}

/** The client has gone, whichever end closed first. */
async function leave(endpoint: MessageEndpoint, client: MsrpClient): Promise<void> {
  endpoint.close()
  await client.close()
}

test('the answer is a message session that says what it takes, and other media are refused', async () => {
  await using rig = await Rig.start()
  const endpoint = endpointOf(rig)
  const more = 'm=audio 4000 RTP/AVP 0\r\n'
  const offer = chatSdp({ path: 'msrp://client.invalid:9/one;tcp', more })
  const answer = textOf(await endpoint.answer(Buffer.from(offer), { ...types, onMessage: async () => {} }))
  expect(sdpAttribute(answer, 'accept-types')).toBe('message/cpim text/plain')
  expect(sdpAttribute(answer, 'accept-wrapped-types')).toBe('text/plain message/imdn+xml')
  expect(sdpAttribute(answer, 'setup')).toBe('passive')
  expect(sdpAttribute(answer, 'max-size')).toBe('1000')
  expect(answer).toContain(`m=message ${rig.port()} TCP/MSRP *`)
  expect(answer).toContain('m=audio 0 RTP/AVP 0')
  endpoint.close()
})

test('an offer without a message session that can be had is refused, and says why', async () => {
  await using rig = await Rig.start()
  const endpoint = endpointOf(rig)
  const offer = chatSdp({ path: 'msrp://client.invalid:9/one;tcp' }).replace('TCP/MSRP', 'TCP/SCTP/OTHER')
  const take = { ...types, onMessage: async () => {} }
  await expect(endpoint.answer(Buffer.from(offer), take)).rejects.toMatchObject({
    condition: 'not-acceptable',
    warnings: [{ code: 302 }],
  })
  expect(rig.plane.sessions.inUse).toBe(0)
})

test('a message is acknowledged when it is safe, not when it has come', async () => {
  await using rig = await Rig.start()
  const received: ReceivedMessage[] = []
  let commit = () => {}
  const committed = new Promise<void>((resolve) => {
    commit = resolve
  })
  const { endpoint, client, to } = await answered(rig, async (message) => {
    received.push(message)
    await committed
  })
  const first = client.send({ to, body: 'hello ', messageId: 'm1', range: '1-6/11', flag: '+' })
  expect((await client.receive()).transactionId).toBe(first)
  const last = client.send({ to, body: 'world', messageId: 'm1', range: '7-11/11', fields: ['Success-Report: yes'] })
  await eventually(() => expect(received).toHaveLength(1))
  expect(received[0]).toMatchObject({ messageId: 'm1', contentType: 'text/plain' })
  expect(received[0]?.body.toString()).toBe('hello world')
  let heard = false
  const answer = client.receive().then((frame) => {
    heard = true
    return frame
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(heard).toBe(false)
  commit()
  expect(await answer).toMatchObject({ transactionId: last, what: '200 OK' })
  const report = await client.receive()
  expect([report.what, report.fields.status, report.fields['byte-range']]).toEqual(['REPORT', '000 200 OK', '1-11/11'])
  await leave(endpoint, client)
})

test.each([
  ['database-unavailable', '413'],
  ['unsupported-content', '415'],
  ['malformed', '400'],
  ['forbidden', '403'],
] as const)('a message that is refused as %s gets %s', async (condition, status) => {
  await using rig = await Rig.start()
  const { endpoint, client, to } = await answered(rig, () => Promise.reject(new Failure(condition)))
  client.send({ to, body: 'x' })
  expect((await client.receive()).what).toMatch(new RegExp(`^${status} `))
  await leave(endpoint, client)
})

test('what is too large, of a type that was not accepted, or too much at once is refused', async () => {
  await using rig = await Rig.start()
  const received: string[] = []
  const memory = new ByteBudget(1500)
  const onMessage = async ({ body }: ReceivedMessage) => void received.push(body.toString())
  const { endpoint, client, to } = await answered(rig, onMessage, { memory })
  client.send({ to, body: 'x', range: '1-1/1001', flag: '+' })
  expect((await client.receive()).what).toMatch(/^413 /)
  const id = 'typed1'
  client.write(
    `MSRP ${id} SEND\r\nTo-Path: ${to}\r\nFrom-Path: ${client.path}\r\nMessage-ID: t\r\nByte-Range: 1-1/1\r\n` +
      `Content-Type: image/png\r\n\r\nx\r\n-------${id}$\r\n`,
  )
  expect((await client.receive()).what).toMatch(/^415 /)
  for (const [messageId, status] of [
    ['a', '200'],
    ['b', '413'],
  ]) {
    client.send({ to, body: 'x'.repeat(700), messageId: messageId ?? '', range: '1-700/900', flag: '+' })
    expect((await client.receive()).what).toMatch(new RegExp(`^${status} `))
  }
  client.send({ to, body: 'y'.repeat(200), messageId: 'a', range: '701-900/900' })
  expect((await client.receive()).what).toBe('200 OK')
  expect(received.map((text) => text.length)).toEqual([900])
  expect(memory.inUse).toBe(0)
  await leave(endpoint, client)
})

test('what was begun and not ended is free again with the session', async () => {
  await using rig = await Rig.start()
  const memory = new ByteBudget(1500)
  const { endpoint, client, to } = await answered(rig, async () => {}, { memory })
  client.send({ to, body: 'x'.repeat(10), range: '1-10/20', flag: '+' })
  expect((await client.receive()).what).toBe('200 OK')
  expect(memory.inUse).toBe(10)
  await leave(endpoint, client)
  expect(memory.inUse).toBe(0)
})

test('a later offer of the same session is answered as before', async () => {
  await using rig = await Rig.start()
  const { endpoint, client, offer, answer } = await answered(rig, async () => {})
  expect(textOf(await endpoint.answer(offer, { ...types, onMessage: async () => {} }))).toBe(textOf(answer))
  expect(rig.plane.sessions.inUse).toBe(1)
  await leave(endpoint, client)
})

test('a message that the server sends is sent when the peer has acknowledged it', async () => {
  await using rig = await Rig.start()
  const { endpoint, client } = await offered(rig)
  const sending = endpoint.send({ contentType: 'text/plain', body: Buffer.from('kept for you'), messageId: 'k1' })
  const frame = await client.receive()
  expect(frame.body?.toString()).toBe('kept for you')
  expect(frame.fields['message-id']).toBe('k1')
  client.respond(frame)
  await sending
  await leave(endpoint, client)
})

test.each([
  ['413 Too Large', 'message-too-large'],
  ['415 What', 'unsupported-content'],
  ['481 No', 'unreachable'],
  ['400 Bad', 'not-acceptable'],
])('a message that the peer answers with %s was not sent: %s', async (status, condition) => {
  await using rig = await Rig.start()
  const { endpoint, client } = await offered(rig)
  const sending = endpoint.send({ contentType: 'text/plain', body: Buffer.from('x') })
  client.respond(await client.receive(), status)
  await expect(sending).rejects.toMatchObject({ condition })
  await leave(endpoint, client)
})

test('what is under way when the session ends was not sent', async () => {
  await using rig = await Rig.start()
  const { endpoint, client } = await offered(rig)
  const sending = endpoint.send({ contentType: 'text/plain', body: Buffer.from('x') })
  await client.receive()
  endpoint.close()
  await expect(sending).rejects.toMatchObject({ condition: 'unreachable' })
  await expect(endpoint.send({ contentType: 'text/plain', body: Buffer.from('x') })).rejects.toThrow('over')
  await client.close()
})

test('the peer of a session that the server offered may send as well, where that is taken', async () => {
  await using rig = await Rig.start()
  const received: string[] = []
  const onMessage = async ({ body }: ReceivedMessage) => void received.push(body.toString())
  const { endpoint, client, to } = await offered(rig, { onMessage })
  client.send({ to, body: 'delivered' })
  expect((await client.receive()).what).toBe('200 OK')
  expect(received).toEqual(['delivered'])
  await leave(endpoint, client)
  const deaf = await offered(rig)
  deaf.client.send({ to: deaf.to, body: 'delivered' })
  expect((await deaf.client.receive()).what).toMatch(/^403 /)
  await leave(deaf.endpoint, deaf.client)
})

test('an answer that takes no message session is none', async () => {
  await using rig = await Rig.start()
  const endpoint = endpointOf(rig)
  endpoint.offer(types)
  const refusal = chatSdp({ path: 'msrp://client.invalid:9/one;tcp' }).replace('m=message 9 ', 'm=message 0 ')
  await expect(endpoint.answered(Buffer.from(refusal))).rejects.toMatchObject({ condition: 'not-acceptable' })
  endpoint.close()
})

test('a peer that never connects, and one that says nothing any more, are given up', async () => {
  await using rig = await Rig.start()
  const waiting = endpointOf(rig, { connectWithin: 20 })
  const gone = new Promise((resolve) => {
    waiting.onClosed = resolve
  })
  waiting.offer(types)
  expect(await gone).toBe('not-connected')
  const { endpoint, client } = await answered(rig, async () => {}, { connectWithin: 200, idleAfter: 20 })
  const why = await new Promise((resolve) => {
    endpoint.onClosed = resolve
  })
  expect(why).toBe('idle')
  expect(rig.plane.sessions.inUse).toBe(0)
  await client.close()
})
