import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { certificate, renewed } from '../support/certificate.ts'
import { agreeOnChat, type EndOptions, hangUp, msrpPort, sayBothWays } from '../support/chat-pair.ts'
import { chatSdp, sdpAttribute } from '../support/chat-sdp.ts'
import { MsrpClient } from '../support/msrp-client.ts'
import { PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { callable, expectNothingHeld } from '../support/sessions.ts'
import { startServer } from '../support/start-server.ts'

const secured = { settings: { 'msrp.listen': 'tls:127.0.0.1:0,tcp:127.0.0.1:0' } }
const pem = (file: string) => readFileSync(file)
const fingerprint = (cert: Buffer) => `SHA-256 ${new X509Certificate(cert).fingerprint256}`
const own = { cert: pem(certificate.cert), key: pem(certificate.key) }
const another = { cert: pem(renewed.cert), key: pem(renewed.key) }

/** An end that announces a certificate, and shows that one or another. */
const shows = (announced: Buffer, shown: { cert: Buffer; key: Buffer }): EndOptions => ({
  transport: 'tls',
  ...shown,
  more: `a=fingerprint:${fingerprint(announced)}\r\n`,
})

test('two clients chat over TLS, each with the certificate whose fingerprint it announced', async () => {
  await using server = await startServer(secured)
  const [alice, bob] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const chat = await agreeOnChat(server, [alice, bob], [shows(own.cert, own), shows(another.cert, another)])
  await sayBothWays(chat)
  await hangUp(chat)
  await expectNothingHeld(server)
})

test('the server announces the fingerprint of the certificate that it shows', async () => {
  await using server = await startServer(secured)
  const [alice, bob] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const sdp = chatSdp({ path: 'msrps://client.invalid:9/x;tcp' }).replace('TCP/MSRP', 'TCP/TLS/MSRP')
  const placed = new PlacedCall(alice, bob.aor, { sdp: `${sdp}a=fingerprint:${fingerprint(own.cert)}\r\n` })
  const { invite } = await ReceivedCall.next(bob)
  expect(sdpAttribute(invite.text, 'fingerprint')?.toUpperCase()).toBe(fingerprint(own.cert))
  expect(sdpAttribute(invite.text, 'path')).toMatch(new RegExp(`^msrps://127.0.0.1:${msrpPort(server, 'tls')}/`))
  await placed.cancel()
  await placed.final
  await expectNothingHeld(server)
})

test('a client that shows another certificate than it announced is turned away, and the session goes on without it', async () => {
  await using server = await startServer(secured)
  const [alice, bob] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const chat = await agreeOnChat(server, [alice, bob], [shows(own.cert, another), shows(own.cert, own)])
  expect(await chat.near.bind()).toMatch(/^403/)
  await chat.near.client.close()
  await chat.near.reconnect({ transport: 'tls', ...own })
  await sayBothWays(chat)
  await hangUp(chat)
  await expectNothingHeld(server)
})

test('a session that is to be secure is not for a connection without TLS', async () => {
  await using server = await startServer(secured)
  const [alice, bob] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const chat = await agreeOnChat(server, [alice, bob], [shows(own.cert, own)])
  await using stranger = await MsrpClient.connect({ port: msrpPort(server, 'tcp') })
  stranger.send({ to: chat.near.to })
  expect((await stranger.receive()).what).toMatch(/^403/)
  await sayBothWays(chat)
  await hangUp(chat)
  await expectNothingHeld(server)
})
