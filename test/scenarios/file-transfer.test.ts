import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { chatSdp, sdpAttribute } from '../support/chat-sdp.ts'
import { eventually } from '../support/eventually.ts'
import { cut, FileReceiver, FileSender, sha256 } from '../support/file-ends.ts'
import { declined, type FileLine, fileHash, fileLine, mediaLines, sessionOf } from '../support/file-sdp.ts'
import { MsrpClient } from '../support/msrp-client.ts'
import { MsrpStream } from '../support/msrp-stream.ts'
import type { Phone } from '../support/phone.ts'
import { type PhoneDialog, PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { acceptOffer, callable, expectNothingHeld } from '../support/sessions.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

const mebibyte = 1024 * 1024
const headers = {
  'P-Preferred-Service': 'urn:urn-7:3gpp-service.ims.icsi.oma.cpm.filetransfer',
  'Accept-Contact': '*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.filetransfer"',
}

const pathIn = (sdp: string) => sdpAttribute(sdp, 'path') ?? ''

/** alice and bob, online, each with a connection. */
async function ready(server: TestServer) {
  const [alice, bob] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const [atAlice, atBob] = [await MsrpStream.open(server.msrpPort), await MsrpStream.open(server.msrpPort)]
  return { alice, bob, atAlice, atBob }
}

/** A session that `caller` offers and `callee` answers, with the paths of the server in each. */
async function agree(caller: Phone, callee: Phone, offer: string, answer: (offered: string) => string) {
  const placed = new PlacedCall(caller, callee.aor, { headers, sdp: offer })
  const received = await ReceivedCall.next(callee)
  const answering = received.answer(answer(received.invite.text))
  const { response, dialog } = await placed.answered()
  return { invite: received.invite, response, atCaller: dialog, atCallee: (await answering).dialog }
}

type About = Omit<FileLine, 'path' | 'direction'>

/** One end of an m= line for a file: it sends there, or takes what comes. */
interface Sent {
  readonly sender: FileSender
  readonly receiver: FileReceiver
  readonly dialogs: readonly [PhoneDialog, PhoneDialog]
}

/** alice sends a file to bob: she offers it, or he asks for it. */
async function open(server: TestServer, how: 'pushed' | 'pulled', about: About): Promise<Sent> {
  const { alice, bob, atAlice, atBob } = await ready(server)
  const fromAlice = sessionOf(fileLine({ path: atAlice.path, direction: 'sendonly', ...about }))
  const toBob = sessionOf(fileLine({ path: atBob.path, direction: 'recvonly', ...about }))
  const { invite, response, atCaller, atCallee } =
    how === 'pushed' ? await agree(alice, bob, fromAlice, () => toBob) : await agree(bob, alice, toBob, () => fromAlice)
  const [toAlice, towardsBob] = how === 'pushed' ? [response, invite] : [invite, response]
  const receiver = new FileReceiver(atBob, pathIn(towardsBob.text), true)
  return { sender: new FileSender(atAlice, pathIn(toAlice.text)), receiver, dialogs: [atCaller, atCallee] }
}

async function end({ sender, receiver, dialogs: [first, second] }: Sent): Promise<void> {
  const bye = second.receive('BYE')
  expect((await first.bye()).status).toBe(200)
  await bye
  sender.stream.close()
  receiver.stream.close()
}

test.each(['pushed', 'pulled'] as const)('a file that is %s arrives byte for byte', async (how) => {
  await using server = await startServer()
  const file = randomBytes(3 * mebibyte + 17)
  const transfer = await open(server, how, { size: file.length, hash: fileHash(file) })
  expect(await transfer.sender.send(cut(file, 64 * 1024), file.length)).toBe('200 OK')
  expect(await transfer.receiver.finished).toBe('$')
  expect([transfer.receiver.received, transfer.receiver.digest()]).toEqual([file.length, sha256(file)])
  await end(transfer)
  await expectNothingHeld(server)
})

test('what is said of a file crosses, its thumbnail with it', async () => {
  await using server = await startServer()
  const { alice, bob, atAlice, atBob } = await ready(server)
  const more = [
    'file-disposition:attachment',
    'file-date:creation:"Mon, 15 May 2026 15:01:31 +0300"',
    'file-icon:cid:id2@alicepc.example.com',
  ]
  const line = fileLine({ path: atAlice.path, direction: 'sendonly', name: 'über%22.bin', size: 4096, more })
  const icon = randomBytes(2000)
  const part = (head: string, body: Buffer) =>
    Buffer.concat([Buffer.from(`--cut\r\n${head}\r\n\r\n`), body, Buffer.from('\r\n')])
  const body = Buffer.concat([
    part('Content-Type: application/sdp\r\nContent-Length: 0', Buffer.from(sessionOf(line))),
    part('Content-Type: image/jpeg\r\nContent-ID: <id2@alicepc.example.com>\r\nContent-Disposition: icon', icon),
    Buffer.from('--cut--\r\n'),
  ])
  const contentType = 'multipart/related; type="application/sdp"; boundary=cut'
  const placed = alice.request('INVITE', bob.aor, {
    headers: { Contact: `<${alice.contact}>`, ...headers },
    contentType,
    body,
  })
  const received = await ReceivedCall.next(bob)
  expect(received.invite.body.includes(icon)).toBe(true)
  for (const attribute of more) expect(received.invite.text).toContain(`a=${attribute}\r\n`)
  expect(received.invite.text).toContain(
    'a=file-selector:name:"über%22.bin" type:application/octet-stream size:4096\r\n',
  )
  expect(received.invite.text).toContain('a=file-transfer-id:tr1\r\n')
  expect(received.invite.text).toContain('a=sendonly\r\n')
  expect(received.invite.header('P-Asserted-Service')).toContain('cpm.filetransfer')
  expect(pathIn(received.invite.text)).toContain(`:${server.msrpPort}/`)
  received.respond(603)
  expect((await placed).status).toBe(603)
  atAlice.close()
  atBob.close()
  await expectNothingHeld(server)
})

test.each(['pushed', 'pulled'] as const)(
  'a transfer that breaks half way is resumed where it broke, when the file is %s',
  async (how) => {
    await using server = await startServer()
    const file = randomBytes(2 * mebibyte + 321)
    const about = { size: file.length, hash: fileHash(file) }
    const first = await open(server, how, about)
    await first.sender.send(cut(file, 16 * 1024), file.length, mebibyte)
    const { acknowledged } = first.sender
    expect(acknowledged).toBeGreaterThan(0)
    await first.sender.breakOff(file.subarray(first.sender.sent, first.sender.sent + 16 * 1024), file.length)
    expect(await first.receiver.finished).toBe('#')
    await end(first)
    const begin = Buffer.concat(first.receiver.kept).subarray(0, acknowledged)
    const rest = file.subarray(acknowledged)
    const second = await open(server, how, { ...about, id: 'tr2', range: `${acknowledged + 1}-*` })
    expect(await second.sender.send(cut(rest, 16 * 1024), rest.length)).toBe('200 OK')
    expect(await second.receiver.finished).toBe('$')
    expect(sha256(Buffer.concat([begin, ...second.receiver.kept]))).toBe(sha256(file))
    await end(second)
    await expectNothingHeld(server)
  },
)

test('of several files some are declined, and only the others hold anything', async () => {
  await using server = await startServer()
  const { alice, bob, atAlice, atBob } = await ready(server)
  const [wanted, unwanted] = [randomBytes(5000), randomBytes(6000)]
  const offer = sessionOf(
    fileLine({ path: atAlice.path, direction: 'sendonly', name: '1.bin', size: unwanted.length, id: 'tr1' }),
    fileLine({ path: atAlice.path, direction: 'sendonly', name: '2.bin', size: wanted.length, id: 'tr2' }),
  )
  const taken = fileLine({ path: atBob.path, direction: 'recvonly', name: '2.bin', size: wanted.length, id: 'tr2' })
  const agreed = await agree(alice, bob, offer, () => sessionOf(declined, taken))
  const [first = '', second = ''] = mediaLines(agreed.response.text)
  expect(first).toMatch(/^m=message 0 /)
  expect(await server.metric('parley_msrp_sessions')).toBe(2)
  const receiver = new FileReceiver(atBob, pathIn(mediaLines(agreed.invite.text)[1] ?? ''))
  const sender = new FileSender(atAlice, pathIn(second))
  expect(await sender.send([wanted], wanted.length)).toBe('200 OK')
  expect(await receiver.finished).toBe('$')
  expect(receiver.digest()).toBe(sha256(wanted))
  await end({ sender, receiver, dialogs: [agreed.atCaller, agreed.atCallee] })
  await expectNothingHeld(server)
})

/** A chat with a file beside it. */
async function withChat(server: TestServer, size: number) {
  const { alice, bob, atAlice, atBob } = await ready(server)
  const [chatAtAlice, chatAtBob] = [
    await MsrpClient.connect({ port: server.msrpPort }),
    await MsrpClient.connect({ port: server.msrpPort }),
  ]
  const described = (chat: MsrpClient, file: MsrpStream, direction: FileLine['direction']) =>
    chatSdp({ path: chat.path, more: fileLine({ path: file.path, direction, size }) })
  const agreed = await agree(alice, bob, described(chatAtAlice, atAlice, 'sendonly'), () =>
    described(chatAtBob, atBob, 'recvonly'),
  )
  const [chatToAlice = '', fileToAlice = ''] = mediaLines(agreed.response.text).map(pathIn)
  const [chatToBob = '', fileToBob = ''] = mediaLines(agreed.invite.text).map(pathIn)
  chatAtBob.send({ to: chatToBob })
  expect((await chatAtBob.receive()).what).toBe('200 OK')
  /** One word from alice to bob. */
  const say = async (body: string) => {
    chatAtAlice.send({ to: chatToAlice, body })
    const frame = await chatAtBob.receive()
    expect(String(frame.body)).toBe(body)
    chatAtBob.respond(frame)
    expect((await chatAtAlice.receive()).what).toBe('200 OK')
  }
  const close = async () => {
    await agreed.atCaller.bye()
    await Promise.all([chatAtAlice.close(), chatAtBob.close()])
    for (const stream of [atAlice, atBob]) stream.close()
  }
  return { say, close, sender: new FileSender(atAlice, fileToAlice), receiver: new FileReceiver(atBob, fileToBob) }
}

test('a chat goes on beside a file, and after the connection of the file is closed', async () => {
  await using server = await startServer({ settings: { 'msrp.limits.absence': '200ms' } })
  const file = randomBytes(mebibyte)
  const { say, close, sender, receiver } = await withChat(server, file.length)
  const sending = sender.send(cut(file, 8192), file.length)
  await say('do you get it?')
  expect(await sending).toBe('200 OK')
  await receiver.finished
  expect(receiver.digest()).toBe(sha256(file))
  expect(await server.metric('parley_msrp_sessions')).toBe(4)
  sender.stream.close()
  await eventually(async () => expect(await server.metric('parley_msrp_sessions')).toBe(2))
  await say('I did')
  await close()
  await expectNothingHeld(server)
})

test('a file that is larger than it was said to be ends, and the chat beside it goes on', async () => {
  await using server = await startServer()
  const file = randomBytes(mebibyte)
  const { say, close, sender, receiver } = await withChat(server, file.length / 2)
  expect(await sender.send(cut(file, 8192), file.length)).toMatch(/^413|closed/)
  expect(receiver.received).toBeLessThanOrEqual(file.length / 2)
  await eventually(async () => expect(await server.metric('parley_msrp_sessions')).toBe(2))
  await say('that was too much')
  await close()
  await expectNothingHeld(server)
})

test('a file that is larger than it was said to be is 413 and the end of its session only', async () => {
  await using server = await startServer()
  const file = randomBytes(mebibyte)
  const other = await withChat(server, 10)
  const transfer = await open(server, 'pushed', { size: 1000 })
  const byes = transfer.dialogs.map((dialog) => dialog.receive('BYE'))
  // In one chunk that does not say how large it is.
  await transfer.sender.stream.write(
    `MSRP big1 SEND\r\nTo-Path: ${transfer.sender.to}\r\n`,
    `From-Path: ${transfer.sender.stream.path}\r\nMessage-ID: big\r\nByte-Range: 1-*/*\r\n`,
    'Content-Type: application/octet-stream\r\n\r\n',
    file,
    '\r\n-------big1$\r\n',
  )
  await Promise.all(byes)
  expect(transfer.sender.statuses).toContain('413 Message Too Large')
  expect(transfer.receiver.received).toBeLessThanOrEqual(1000)
  await other.say('still here')
  await other.close()
  transfer.sender.stream.close()
  transfer.receiver.stream.close()
  await expectNothingHeld(server)
})

test('a file beyond session.maxFileSize is 403 with Warning 133', async () => {
  await using server = await startServer({ settings: { 'session.maxFileSize': '1MiB' } })
  const { alice, bob, atAlice, atBob } = await ready(server)
  const sdp = sessionOf(fileLine({ path: atAlice.path, direction: 'sendonly', size: mebibyte + 1 }))
  const refused = await new PlacedCall(alice, bob.aor, { headers, sdp }).final
  expect(refused.status).toBe(403)
  expect(refused.header('Warning')).toMatch(/^133 \S+ "Size exceeded"$/)
  atAlice.close()
  atBob.close()
  await expectNothingHeld(server)
})

test('of several files one that is too large is refused, and the others go on', async () => {
  await using server = await startServer({ settings: { 'session.maxFileSize': '1MiB' } })
  const { alice, bob, atAlice, atBob } = await ready(server)
  const lineOf = (path: string, direction: FileLine['direction'], size: number) => fileLine({ path, direction, size })
  const offer = sessionOf(lineOf(atAlice.path, 'sendonly', 2 ** 30), lineOf(atAlice.path, 'sendonly', 1000))
  const answer = sessionOf(declined, lineOf(atBob.path, 'recvonly', 1000))
  const { invite, atCaller } = await agree(alice, bob, offer, () => answer)
  expect(mediaLines(invite.text).map((line) => /^m=message (\d+)/.exec(line)?.[1])).toEqual([
    '0',
    String(server.msrpPort),
  ])
  await atCaller.bye()
  atAlice.close()
  atBob.close()
  await expectNothingHeld(server)
})

test('a file that is asked for and proves to be too large is refused to both', async () => {
  await using server = await startServer({ settings: { 'session.maxFileSize': '1MiB' } })
  const { alice, bob, atAlice, atBob } = await ready(server)
  const asked = sessionOf(fileLine({ path: atBob.path, direction: 'recvonly' }))
  const placed = new PlacedCall(bob, alice.aor, { headers, sdp: asked })
  const received = await ReceivedCall.next(alice)
  const { dialog } = await received.answer(
    sessionOf(fileLine({ path: atAlice.path, direction: 'sendonly', size: 2 * mebibyte })),
  )
  await dialog.receive('BYE')
  const refused = await placed.final
  expect([refused.status, refused.header('Warning')]).toEqual([403, expect.stringContaining('133 ')])
  atAlice.close()
  atBob.close()
  await expectNothingHeld(server)
})

test('a later offer puts another file where one was', async () => {
  await using server = await startServer()
  const { alice, bob, atAlice, atBob } = await ready(server)
  const [one, two] = [randomBytes(2000), randomBytes(3000)]
  const pushed = (file: Buffer, id: string) =>
    fileLine({ path: atAlice.path, direction: 'sendonly', size: file.length, id })
  const taken = (file: Buffer, id: string) =>
    fileLine({ path: atBob.path, direction: 'recvonly', size: file.length, id })
  const [fromAlice, fromBob] = [sessionOf(pushed(one, 'tr1')), sessionOf(taken(one, 'tr1'))]
  const agreed = await agree(alice, bob, fromAlice, () => fromBob)
  const sender = new FileSender(atAlice, pathIn(agreed.response.text))
  const receiver = new FileReceiver(atBob, pathIn(agreed.invite.text), true)
  expect(await sender.send([one], one.length)).toBe('200 OK')
  await receiver.finished
  const later = (sdp: string, line: string) => sdp.replace(/ 1 IN/, ' 2 IN').replace(/^m=[\s\S]*/m, line)
  const accepting = acceptOffer(bob, agreed.atCallee, later(fromBob, taken(two, 'tr2')))
  const accepted = await agreed.atCaller.reinvite({ sdp: later(fromAlice, pushed(two, 'tr2')) })
  expect((await accepting).text).toContain('a=file-transfer-id:tr2')
  expect(pathIn(accepted.text)).toBe(pathIn(agreed.response.text))
  const again = new FileSender(atAlice, pathIn(accepted.text))
  expect(await again.send([two], two.length)).toBe('200 OK')
  expect(sha256(Buffer.concat(receiver.kept))).toBe(sha256(Buffer.concat([one, two])))
  await end({ sender: again, receiver, dialogs: [agreed.atCaller, agreed.atCallee] })
  await expectNothingHeld(server)
})

test('a file is not kept for somebody absent', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const sdp = sessionOf(fileLine({ path: 'msrp://client.invalid:9/x;tcp', direction: 'sendonly', size: 10 }))
  expect((await new PlacedCall(alice, server.aor('bob'), { headers, sdp }).final).status).toBe(480)
  await expectNothingHeld(server)
})
