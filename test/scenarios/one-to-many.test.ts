import { expect, test } from 'vitest'
import type { Phone } from '../support/phone.ts'
import { startServer } from '../support/start-server.ts'

/** A message with a recipient list (RFC 5365 §5). */
function sendToMany(phone: Phone, to: string, text: string, recipients: readonly string[]) {
  const entries = recipients.map((uri) => `<entry uri="${uri}"/>`).join('')
  const list = `<?xml version="1.0" encoding="UTF-8"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>${entries}</list></resource-lists>`
  const body =
    `--cut\r\nContent-Type: text/plain;charset=UTF-8\r\n\r\n${text}\r\n` +
    `--cut\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n${list}\r\n--cut--\r\n`
  return phone.message(to, body, {
    contentType: 'multipart/mixed;boundary="cut"',
    headers: { Require: 'recipient-list-message' },
  })
}

test('one message goes to all of a list, those present and those absent', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  const sent = await sendToMany(alice, 'sip:list@parley.test', 'to you all', [bob.aor, server.aor('carol')])
  expect(sent.status).toBe(202)
  expect((await bob.receive('MESSAGE')).text).toBe('to you all')
  expect((await (await server.online('carol')).receive('MESSAGE')).text).toBe('to you all')
})

test('duplicates and the sender are folded', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.online('bob')]
  const list = [bob.aor, 'sip:bob@PARLEY.test', 'tel:+15550002', alice.aor]
  expect((await sendToMany(alice, 'sip:parley.test', 'once', list)).status).toBe(202)
  await bob.receive('MESSAGE')
  await bob.message(alice.aor, 'marker')
  await alice.message(bob.aor, 'marker')
  await Promise.all([alice, bob].map((phone) => phone.receive('MESSAGE', (message) => message.text === 'marker')))
  expect(bob.received.map((message) => message.text)).toEqual(['once', 'marker'])
  expect(alice.received.map((message) => message.text)).toEqual(['marker'])
})

test('more recipients than allowed are refused', async () => {
  await using server = await startServer({ settings: { 'message.maxRecipients': '2' } })
  const alice = await server.phone('alice')
  const list = ['bob', 'carol', 'dave'].map((user) => server.aor(user))
  expect((await sendToMany(alice, 'sip:list@parley.test', 'too many', list)).status).toBeGreaterThanOrEqual(400)
})

test('a list that is no XML is refused', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const body =
    '--cut\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n<<\r\n--cut--\r\n'
  const sent = await alice.message('sip:list@parley.test', body, {
    contentType: 'multipart/mixed;boundary=cut',
    headers: { Require: 'recipient-list-message' },
  })
  expect(sent.status).toBe(400)
})
