import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { sdpAttribute } from '../support/chat-sdp.ts'
import { eventually } from '../support/eventually.ts'
import { cut, FileReceiver, FileSender } from '../support/file-ends.ts'
import { fileLine, sessionOf } from '../support/file-sdp.ts'
import { bytesOf, historyOf } from '../support/history.ts'
import { MsrpStream } from '../support/msrp-stream.ts'
import { ownPostgres } from '../support/own-postgres.ts'
import { type PhoneDialog, PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { callable, expectNothingHeld } from '../support/sessions.ts'
import { startServer, type TestServer, usualUsers } from '../support/start-server.ts'

interface Transfer {
  readonly sender: FileSender
  readonly receiver: FileReceiver
  readonly atAlice: PhoneDialog
  readonly atBob: PhoneDialog
}

/** alice has offered a file, and bob takes it. */
async function transfer(server: TestServer, size: number): Promise<Transfer> {
  const [alice, bob] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const [near, far] = [await MsrpStream.open(server.msrpPort), await MsrpStream.open(server.msrpPort)]
  const sdp = sessionOf(fileLine({ path: near.path, direction: 'sendonly', name: 'rosé.bin', size }))
  const placed = new PlacedCall(alice, bob.aor, { sdp })
  const received = await ReceivedCall.next(bob)
  const answering = received.answer(sessionOf(fileLine({ path: far.path, direction: 'recvonly', size })))
  const { response, dialog } = await placed.answered()
  const pathIn = (text: string) => sdpAttribute(text, 'path') ?? ''
  const receiver = new FileReceiver(far, pathIn(received.invite.text), true)
  return {
    ...{ sender: new FileSender(near, pathIn(response.text)), receiver },
    ...{ atAlice: dialog, atBob: (await answering).dialog },
  }
}

async function hangUp({ sender, receiver, atAlice, atBob }: Transfer): Promise<void> {
  const bye = atBob.receive('BYE')
  await atAlice.bye()
  await bye
  sender.stream.close()
  receiver.stream.close()
}

test('a file that is sent is in the histories of both, with what it is, before its sender hears that it has arrived', async () => {
  await using server = await startServer({ settings: { 'storage.default': 'always' } })
  const file = randomBytes(1_500_000)
  const through = await transfer(server, file.length)
  expect(await through.sender.send(cut(file, 100_000), file.length)).toBe('200 OK')
  expect(await through.receiver.finished).toBe('$')
  expect(Buffer.concat(through.receiver.kept).equals(file)).toBe(true)
  for (const [user, direction] of [
    ['alice', 'out'],
    ['bob', 'in'],
  ] as const) {
    const [object, ...others] = await historyOf(server, user, 'file')
    expect(others).toEqual([])
    expect(object).toMatchObject({ direction, folder: `Default/tel:+1555000${direction === 'out' ? 2 : 1}` })
    expect(object?.attributes).toMatchObject({ 'File-Name': ['rosé.bin'], 'File-Size': ['1500000'] })
    const about = (await bytesOf(server, object?.id ?? '', 1)).toString()
    expect(about).toMatch(/<file-transfer-type>1-1<.*<file-object><cid>cid:.*<sdp>.*file-selector/s)
    expect((await bytesOf(server, object?.id ?? '', 2)).equals(file)).toBe(true)
  }
  await hangUp(through)
  await expectNothingHeld(server)
})

test('a file in one chunk that is larger than memory should hold is streamed, and kept', async () => {
  await using server = await startServer({ settings: { 'storage.file': 'always' } })
  const file = randomBytes(3_000_000)
  const through = await transfer(server, file.length)
  expect(await through.sender.send([file], file.length)).toBe('200 OK')
  const [object] = await historyOf(server, 'bob', 'file')
  expect((await bytesOf(server, object?.id ?? '', 2)).equals(file)).toBe(true)
  await hangUp(through)
})

test('of a file whose sender goes away half way nothing is kept', async () => {
  await using server = await startServer({
    settings: { 'storage.default': 'always', 'msrp.limits.absence': '200ms' },
  })
  const file = randomBytes(600_000)
  const through = await transfer(server, file.length)
  expect(await through.sender.send(cut(file, 100_000), file.length, 300_000)).toBe('200 OK')
  await through.sender.breakOff(file.subarray(300_000, 400_000), file.length)
  await Promise.all([through.atAlice.receive('BYE'), through.atBob.receive('BYE')])
  await expectNothingHeld(server)
  expect([await historyOf(server, 'alice', 'file'), await historyOf(server, 'bob', 'file')]).toEqual([[], []])
  through.receiver.stream.close()
})

test('chunks that do not come in their order are refused while the file is kept', async () => {
  await using server = await startServer({ settings: { 'storage.default': 'always' } })
  const through = await transfer(server, 20)
  const { stream, to } = through.sender
  await stream.write(
    `MSRP odd1 SEND\r\nTo-Path: ${to}\r\nFrom-Path: ${stream.path}\r\nMessage-ID: file1\r\nByte-Range: 11-20/20\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n0123456789\r\n-------odd1$\r\n',
  )
  await eventually(async () => expect(through.sender.statuses).toEqual([expect.stringMatching(/^413/)]))
  expect(await historyOf(server, 'bob', 'file')).toEqual([])
  await through.atAlice.bye()
  stream.close()
  through.receiver.stream.close()
})

test('with the database away a file that is to be kept does not pass whole', { timeout: 60_000 }, async () => {
  await using postgres = await ownPostgres()
  await using server = await startServer({
    databaseUrl: postgres.url,
    users: usualUsers,
    settings: { 'storage.file': 'always' },
  })
  const file = randomBytes(300_000)
  const through = await transfer(server, file.length)
  await postgres.stop()
  expect(await through.sender.send(cut(file, 100_000), file.length)).not.toBe('200 OK')
  expect(through.receiver.received).toBeLessThan(file.length)
  await hangUp(through).catch(() => {})
})
