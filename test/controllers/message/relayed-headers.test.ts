import { expect, test } from 'vitest'
import type { SipRequest } from '../../../src/protocols/sip/message.ts'
import { writeMessage } from '../../../src/protocols/sip/message.ts'
import { alice, bob, type MessageOptions, MessageRig, requestFor } from './message-rig.ts'

const toBob = 'sip:bob@parley.test'
const service = 'urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg'
const names = (request: SipRequest) => [...request.headers.entries()].map(([name]) => name)

async function relayed(options: MessageOptions): Promise<SipRequest> {
  await using rig = await MessageRig.start()
  const phone = rig.phone(bob, 'b1')
  await rig.message(alice, toBob, 'x', options)
  return (await phone.next()).request
}

test('what came stays as it came, in its order, with one hop less', async () => {
  const headers = [
    ['X-First', 'a  b'],
    ['x-second', '\xe9\xff'],
    ['Route', '<sip:elsewhere.test;lr>'],
    ['Conversation-ID', 'no uuid at all'],
    ['Contribution-ID', 'x'],
    ['Date', 'not a date'],
  ] as const
  const request = await relayed({ callId: 'as-it-is', headers })
  expect(names(request).filter((name) => name !== 'p-asserted-identity')).toEqual([
    ...['via', 'max-forwards', 'from', 'to', 'call-id', 'cseq', 'x-first', 'x-second'],
    ...['conversation-id', 'contribution-id', 'date', 'content-type'],
  ])
  expect(request.headers.get('x-second')).toBe('\xe9\xff')
  expect(request.headers.get('via')).toContain('branch=z9hG4bK1')
  expect(request.headers.get('from')).toBe('<sip:alice@parley.test>;tag=a')
  expect(request.headers.get('max-forwards')).toBe('69')
  expect(request.headers.get('conversation-id')).toBe('no uuid at all')
})

test('missing ids and date are added, the same on every copy', async () => {
  await using rig = await MessageRig.start()
  rig.known.set(2, ['away'])
  const phone = rig.phone(bob, 'b1')
  await rig.message(alice, toBob, 'x')
  const [now, later] = [await phone.next(), await rig.register(bob, 'away').next()]
  for (const name of ['conversation-id', 'contribution-id', 'date']) {
    expect(now.request.headers.get(name)).toBeTruthy()
    expect(later.request.headers.get(name)).toBe(now.request.headers.get(name))
  }
})

test('the path of a device goes along as Route', async () => {
  await using rig = await MessageRig.start()
  const phone = rig.phone(bob, 'b1')
  Object.assign(phone.binding, { path: ['<sip:edge.test;lr>', '<sip:inner.test;lr>'] })
  await rig.message(alice, toBob, 'x')
  expect((await phone.next()).request.headers.all('route')).toEqual(['<sip:edge.test;lr>', '<sip:inner.test;lr>'])
})

test('credentials and foreign identities go, the true one is said', async () => {
  const request = await relayed({
    headers: [
      ['Proxy-Authorization', 'Digest realm="parley.test", username="alice"'],
      ['P-Preferred-Identity', '<sip:alice@parley.test>'],
      ['P-Asserted-Identity', '<sip:mallory@parley.test>'],
      ['P-Preferred-Service', service],
      ['P-Asserted-Service', 'urn:forged'],
    ],
  })
  expect(names(request)).not.toContain('proxy-authorization')
  expect(names(request)).not.toContain('p-preferred-identity')
  expect(names(request)).not.toContain('p-preferred-service')
  expect(request.headers.all('p-asserted-identity')).toEqual(['<sip:alice@parley.test>'])
  expect(request.headers.all('p-asserted-service')).toEqual([service])
})

test('a service that a trusted peer asserts is believed', async () => {
  const request = await relayed({ headers: [['P-Asserted-Service', service]], sender: { trusted: true } })
  expect(request.headers.all('p-asserted-service')).toEqual([service])
})

test('who wants to be anonymous is, towards users', async () => {
  expect(names(await relayed({ sender: { anonymous: true } }))).not.toContain('p-asserted-identity')
  for (const value of ['id', 'header;id', 'user; id']) {
    expect(names(await relayed({ headers: [['Privacy', value]] }))).not.toContain('p-asserted-identity')
  }
  expect(names(await relayed({ headers: [['Privacy', 'none']] }))).toContain('p-asserted-identity')
})

test('a message to another domain is answered as it is there; a trusted peer is told who sent it', async () => {
  await using rig = await MessageRig.start()
  rig.trustedPeers = ['friend.test']
  const send = async (domain: string) => {
    const headers = [
      ['Privacy', 'id'],
      ['Route', '<sip:next.test;lr>'],
      ['Authorization', 'Digest realm="far"'],
    ] as const
    const reply = rig.message(alice, `sip:dave@${domain}`, 'x', { headers })
    await expect.poll(() => rig.foreign.length).toBe(1)
    const [received] = rig.foreign.splice(0)
    return { reply, received }
  }
  const friend = await send('friend.test')
  expect(friend.received?.request.headers.get('p-asserted-identity')).toBe('<sip:alice@parley.test>')
  expect(friend.received?.request.headers.get('route')).toBe('<sip:next.test;lr>')
  expect(friend.received?.request.headers.get('authorization')).toBe('Digest realm="far"')
  friend.received?.answer(603, { toTag: 't' })
  expect(await friend.reply).toMatchObject({ status: 603, toTag: 't' })
  const stranger = await send('stranger.test')
  expect(stranger.received?.request.headers.has('p-asserted-identity')).toBe(false)
  stranger.received?.answer(503, { local: true })
  await expect(stranger.reply).rejects.toMatchObject({ condition: 'unreachable' })
})

test('bodies are bytes, now and later', async () => {
  const rpData = Buffer.from([0x00, 0x01, 0x00, 0x07, 0x91, 0xff, 0x0d, 0x0a, 0x0d, 0x0a, 0x80])
  const gb2312 = Buffer.from([0xc4, 0xe3, 0xba, 0xc3])
  await using rig = await MessageRig.start()
  for (const body of [rpData, gb2312, Buffer.alloc(0)]) {
    await rig.message(alice, toBob, '', { contentType: 'application/vnd.3gpp.sms', body })
  }
  const phone = rig.register(bob, 'b1')
  for (const body of [rpData, gb2312, Buffer.alloc(0)]) expect((await phone.next()).request.body).toEqual(body)
})

test('a kept message is, but for Via, what would have been sent', async () => {
  await using rig = await MessageRig.start()
  const now = Date.now()
  rig.time = () => now
  const request = requestFor(alice, toBob, 'x', { headers: [['X-Odd', 'é']] })
  await rig.controller.handlePagerMessage(request)
  const late = (await rig.register(bob, 'b1').next()).request
  const live = rig.phone(bob, 'b2')
  await rig.controller.handlePagerMessage(request)
  const atOnce = (await live.next()).request
  const lines = (message: SipRequest) => writeMessage(message).toString('latin1').split('\r\n').slice(1)
  const volatile = /^(Via|Conversation-ID|Contribution-ID|Content-Length):/
  expect(lines(late).filter((line) => !volatile.test(line))).toEqual(
    lines(atOnce).filter((line) => !volatile.test(line)),
  )
})
