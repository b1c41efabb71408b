import { expect, test } from 'vitest'
import { chatSdp, sdpAttribute } from '../support/chat-sdp.ts'
import { MsrpClient } from '../support/msrp-client.ts'
import { awaitCalls, PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { expectNothingHeld } from '../support/sessions.ts'
import { startServer } from '../support/start-server.ts'

const settings = { 'msrp.listen': 'tcp:127.0.0.1:0,ws:127.0.0.1:0' }

/** As a browser describes it: over a WebSocket that it opens. */
const ofBrowser = (path: string) => chatSdp({ path }).replace('TCP/MSRP', 'TCP/WS/MSRP')

test.each(['browser', 'phone'] as const)('a browser and a phone chat, called by the %s', async (caller) => {
  await using server = await startServer({ settings })
  const alice = await server.online('alice', { transport: 'ws' })
  const bob = await server.online('bob', { transport: 'udp' })
  for (const phone of [alice, bob]) awaitCalls(phone)
  const webPort = server.app.addresses.find((one) => one.name === 'msrp' && one.transport === 'ws')?.port ?? 0
  await using atAlice = await MsrpClient.connect({ port: webPort, transport: 'ws' })
  await using atBob = await MsrpClient.connect({ port: server.msrpPort })
  const [web, plain] = [ofBrowser(atAlice.path), chatSdp({ path: atBob.path })]
  const isWeb = caller === 'browser'
  const placed = new PlacedCall(isWeb ? alice : bob, isWeb ? bob.aor : alice.aor, { sdp: isWeb ? web : plain })
  const received = await ReceivedCall.next(isWeb ? bob : alice)
  const answering = received.answer(isWeb ? plain : web)
  const { response, dialog } = await placed.answered()
  await answering
  const [toAlice, toBob] = isWeb ? [response, received.invite] : [received.invite, response]
  expect(toAlice.text).toContain(`m=message ${webPort} TCP/WS/MSRP *`)
  expect(toBob.text).toContain(`m=message ${server.msrpPort} TCP/MSRP *`)
  const [pathForAlice, pathForBob] = [toAlice, toBob].map(({ text }) => sdpAttribute(text, 'path') ?? '')
  atBob.send({ to: pathForBob ?? '' })
  await atBob.receive()
  atAlice.send({ to: pathForAlice ?? '', body: 'from the web' })
  const heard = await atBob.receive()
  expect(heard.body?.toString()).toBe('from the web')
  atBob.respond(heard)
  expect((await atAlice.receive()).what).toBe('200 OK')
  await dialog.bye()
  await expectNothingHeld(server)
})
