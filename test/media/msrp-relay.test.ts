import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type MsrpSession, relay } from '../../src/media/msrp/index.ts'
import type { MsrpClient } from '../support/msrp-client.ts'
import { nothingOpen, Rig } from './msrp-rig.ts'

afterEach(nothingOpen)

test('a message crosses with its id, and its answer comes back', async () => {
  await using rig = await Rig.start()
  const { a, b } = await rig.pair()
  const id = a.client.send({ to: a.session.path, messageId: 'keep1', body: 'hello', fields: ['X-Custom: yes'] })
  const frame = await b.client.receive()
  expect(frame.body?.toString()).toBe('hello')
  expect(frame.transactionId).not.toBe(id)
  expect(frame.fields).toEqual({
    'to-path': b.client.path,
    'from-path': b.session.path,
    'message-id': 'keep1',
    'byte-range': '1-5/5',
    'x-custom': 'yes',
    'content-type': 'text/plain',
  })
  b.client.respond(frame)
  const answer = await a.client.receive()
  expect(answer).toMatchObject({ transactionId: id, what: '200 OK' })
  expect(answer.fields).toEqual({ 'to-path': a.client.path, 'from-path': a.session.path })
})

test.each(['413 Too Large', '415 No', '400', '423 Odd'])('%s of the far end is the sender’s answer', async (status) => {
  await using rig = await Rig.start()
  const { a, b } = await rig.pair()
  const id = a.client.send({ to: a.session.path, body: 'hello' })
  b.client.respond(await b.client.receive(), status)
  const answer = await a.client.receive()
  expect([answer.transactionId, answer.what.slice(0, 3)]).toEqual([id, status.slice(0, 3)])
})

test('reports cross with the message they are about', async () => {
  await using rig = await Rig.start()
  const { a, b } = await rig.pair()
  a.client.send({
    to: a.session.path,
    messageId: 'wish1',
    body: 'hello',
    fields: ['Success-Report: yes', 'Failure-Report: no'],
  })
  const frame = await b.client.receive()
  expect(frame.fields).toMatchObject({ 'success-report': 'yes', 'failure-report': 'no' })
  b.client.report(frame, '1-5/5')
  const report = await a.client.receive()
  expect(report.what).toBe('REPORT')
  expect(report.fields).toEqual({
    'to-path': a.client.path,
    'from-path': a.session.path,
    'message-id': 'wish1',
    'byte-range': '1-5/5',
    status: '000 200 OK',
  })
})

test('Failure-Report partial: only a failure comes back', async () => {
  await using rig = await Rig.start()
  const { a, b } = await rig.pair()
  const fields = ['Failure-Report: partial']
  a.client.send({ to: a.session.path, body: 'one', fields })
  const id = a.client.send({ to: a.session.path, body: 'two', fields })
  b.client.respond(await b.client.receive())
  b.client.respond(await b.client.receive(), '413 No')
  expect(await a.client.receive()).toMatchObject({ transactionId: id, what: '413 Message Too Large' })
})

test('an answer that does not come is 408', async () => {
  await using rig = await Rig.start({ transactionMs: 10 })
  const { a } = await rig.pair()
  a.client.send({ to: a.session.path, body: 'anybody?' })
  expect((await a.client.receive()).what).toBe('408 Request Timeout')
})

test('a far end that is gone is 408, and 481 once its session has ended', async () => {
  await using rig = await Rig.start()
  const { a, b } = await rig.pair()
  a.client.send({ to: a.session.path, body: 'one' })
  await b.client.receive()
  await b.client.close()
  expect((await a.client.receive()).what).toBe('408 Request Timeout')
  a.client.send({ to: a.session.path, body: 'two' })
  b.session.close()
  expect((await a.client.receive()).what).toBe('481 No Such Session')
})

test('what is sent while the far end is away reaches it when it is back', async () => {
  await using rig = await Rig.start()
  const { a, b } = await rig.pair()
  const lost = new Promise<void>((resolve) => (b.session.onLost = resolve))
  await b.client.close()
  await lost
  a.client.send({ to: a.session.path, body: 'are you back?' })
  await using again = await rig.client()
  again.send({ to: b.session.path })
  const frames = [await again.receive(), await again.receive()]
  expect(frames.map((frame) => frame.body?.toString())).toEqual(['are you back?', undefined].toSorted())
})

test('a message given up half-way is given up at the far end', async () => {
  await using rig = await Rig.start()
  const { a, b } = await rig.pair()
  a.client.send({ to: a.session.path, messageId: 'half1', range: '1-*/9000', body: 'x'.repeat(3000), flag: '+' })
  a.client.send({ to: a.session.path, messageId: 'half1', range: '3001-*/9000', body: 'y'.repeat(3000), flag: '#' })
  const frames = [await b.client.receive(), await b.client.receive()]
  expect(frames.map(({ flag, body }) => [flag, body?.length])).toEqual([
    ['+', 3000],
    ['#', 3000],
  ])
})

test('a sender that is gone in the middle of a chunk gives the message up', async () => {
  await using rig = await Rig.start()
  const { a, b } = await rig.pair()
  const paths = `To-Path: ${a.session.path}\r\nFrom-Path: ${a.client.path}`
  a.client.write(`MSRP half1 SEND\r\n${paths}\r\nMessage-ID: m1\r\nByte-Range: 1-*/90000\r\n\r\n${'x'.repeat(5000)}`)
  await a.client.close()
  const frame = await b.client.receive()
  expect([frame.flag, frame.body?.length, frame.fields['byte-range']]).toEqual(['#', 5000, '1-*/90000'])
})

test('a message beyond the limit is 413 and given up at the far end', async () => {
  await using rig = await Rig.start()
  const a = await rig.joined(10_000)
  const b = await rig.joined()
  relay(a.session, b.session)
  a.client.send({ to: a.session.path, range: '1-*/*', body: 'x'.repeat(200_000) })
  expect((await a.client.receive()).what).toBe('413 Message Too Large')
  const frame = await b.client.receive()
  expect(frame.flag).toBe('#')
  expect(frame.body?.length).toBeLessThanOrEqual(10_000)
})

test('others on a connection get through in the middle of a large chunk', async () => {
  await using rig = await Rig.start()
  const [a1, a2] = [await rig.joined(), await rig.joined()]
  const client = await rig.client()
  const [b1, b2] = [rig.session(), rig.session()]
  await rig.bind(b1, client)
  await rig.bind(b2, client)
  relay(a1.session, b1)
  relay(a2.session, b2)
  const paths = `To-Path: ${a1.session.path}\r\nFrom-Path: ${a1.client.path}`
  const head = `MSRP large1 SEND\r\n${paths}\r\nMessage-ID: large1\r\nByte-Range: 1-6000/6000\r\nX-Also: yes\r\n\r\n`
  a1.client.write(`${head}${'a'.repeat(3000)}`)
  const tail = new Promise<void>((resolve) => {
    client.onFrame = (frame) => {
      if (frame.fields['message-id'] === 'small1') resolve()
      return false
    }
  })
  await new Promise((resolve) => setImmediate(resolve))
  a2.client.send({ to: a2.session.path, messageId: 'small1', body: 'quick' })
  await tail
  a1.client.write(`${'b'.repeat(3000)}\r\n-------large1$\r\n`)
  const frames = [await client.receive(), await client.receive(), await client.receive()]
  const large = frames.filter((frame) => frame.fields['message-id'] === 'large1')
  expect(frames.map((frame) => frame.flag)).toEqual(['+', '$', '$'])
  expect(large.map((frame) => frame.fields['byte-range'])).toEqual(['1-*/6000', '3001-*/6000'])
  expect(large.map((frame) => frame.fields['x-also'])).toEqual(['yes', 'yes'])
  expect(Buffer.concat(large.map((frame) => frame.body as Buffer)).toString()).toBe('a'.repeat(3000) + 'b'.repeat(3000))
  for (const frame of frames) client.respond(frame)
  expect(await a1.client.receive()).toMatchObject({ transactionId: 'large1', what: '200 OK' })
})

test('a keep-alive is answered here, and does not cross', async () => {
  await using rig = await Rig.start()
  const { a, b } = await rig.pair()
  a.client.send({ to: a.session.path })
  expect((await a.client.receive()).what).toBe('200 OK')
  a.client.send({ to: a.session.path, body: 'after it' })
  expect((await b.client.receive()).body?.toString()).toBe('after it')
})

test('a tap sees heads, bytes and ends of what passes', async () => {
  const seen: string[] = []
  await using rig = await Rig.start()
  const { a, b } = await rig.pair({
    chunk: (_, chunk) => seen.push(`${chunk.messageId} ${chunk.head.field('content-type')}`),
    piece: (_, bytes) => seen.push(bytes.toString()),
    end: (_, flag) => void seen.push(String(flag)),
    report: (from, head) => seen.push(`${from === b.session} ${head.field('status')}`),
  })
  a.client.send({ to: a.session.path, messageId: 'seen1', body: 'hello' })
  const frame = await b.client.receive()
  b.client.report(frame, '1-5/5')
  await a.client.receive()
  expect(seen).toEqual(['seen1 text/plain', 'hello', '$', 'true 000 200 OK'])
})

const mebibyte = Buffer.alloc(1024 * 1024, 'parley')

/** Writes one SEND of so many MiB, as fast as it is taken. */
async function sendLarge(socket: Socket, session: MsrpSession, from: string, mebibytes: number): Promise<void> {
  const size = mebibytes * mebibyte.length
  const paths = `To-Path: ${session.path}\r\nFrom-Path: ${from}`
  socket.write(`MSRP large1 SEND\r\n${paths}\r\nMessage-ID: m1\r\nByte-Range: 1-*/${size}\r\n\r\n`)
  for (let count = 0; count < mebibytes; count++) if (!socket.write(mebibyte)) await once(socket, 'drain')
  socket.write('\r\n-------large1$\r\n')
}

/** Counts and hashes the body of the one SEND that comes. */
function countBody(socket: Socket, size: number): Promise<string> {
  const hash = createHash('sha1')
  let [left, head] = [size, '']
  return new Promise((resolve) => {
    socket.on('data', (bytes: Buffer) => {
      let body = bytes
      if (!head.includes('\r\n\r\n')) {
        head += bytes.toString('latin1')
        const at = head.indexOf('\r\n\r\n')
        body = at === -1 ? Buffer.alloc(0) : Buffer.from(head.slice(at + 4), 'latin1')
      }
      hash.update(body.subarray(0, Math.max(0, left)))
      left -= body.length
      if (left < 0) resolve(hash.digest('hex'))
    })
  })
}

async function raw(rig: Rig, session: MsrpSession): Promise<{ socket: Socket; path: string }> {
  const path = `msrp://raw.invalid:9/${session.id.slice(0, 5)};tcp`
  await session.connect({ path: [path], setup: 'passive' })
  const socket = connect(rig.port(), '127.0.0.1')
  const id = 'hello1'
  socket.write(
    `MSRP ${id} SEND\r\nTo-Path: ${session.path}\r\nFrom-Path: ${path}\r\nMessage-ID: m0\r\n-------${id}$\r\n`,
  )
  await once(socket, 'data')
  return { socket, path }
}

test('128 MiB in one chunk cross in constant memory, while a slow reader slows only its sender', async () => {
  await using rig = await Rig.start()
  const [from, to] = [rig.session(), rig.session()]
  relay(from, to)
  const [sender, reader] = [await raw(rig, from), await raw(rig, to)]
  const others = await rig.pair()
  reader.socket.pause()
  const size = 128 * mebibyte.length
  const hash = countBody(reader.socket, size)
  reader.socket.pause()
  let sent = false
  const sending = sendLarge(sender.socket, from, sender.path, 128).then(() => {
    sent = true
  })
  for (let count = 0; count < 500; count++) await exchange(others.a.client, others.a.session, others.b.client)
  expect(sent).toBe(false)
  expect(process.memoryUsage().arrayBuffers).toBeLessThan(48 * mebibyte.length)
  reader.socket.resume()
  await sending
  const expected = createHash('sha1')
  for (let count = 0; count < 128; count++) expected.update(mebibyte)
  expect(await hash).toBe(expected.digest('hex'))
  expect(process.memoryUsage().arrayBuffers).toBeLessThan(48 * mebibyte.length)
  sender.socket.destroy()
  reader.socket.destroy()
})

async function exchange(a: MsrpClient, session: MsrpSession, b: MsrpClient): Promise<void> {
  a.send({ to: session.path, body: 'quick' })
  b.respond(await b.receive())
  expect((await a.receive()).what).toBe('200 OK')
}

test('requests without an answer slow their sender at a bound', async () => {
  await using rig = await Rig.start({ transactions: 10 })
  const { a, b } = await rig.pair()
  for (let count = 0; count < 50; count++) a.client.send({ to: a.session.path, body: `${count}` })
  const bodies: string[] = []
  for (let count = 0; count < 50; count++) {
    const frame = await b.client.receive()
    bodies.push(String(frame.body))
    b.client.respond(frame)
    await a.client.receive()
  }
  expect(bodies).toEqual(Array.from({ length: 50 }, (_, at) => `${at}`))
})

/** A session whose peer sends; what comes is counted and forgotten. */
async function counted(rig: Rig, onBytes: (bytes: number) => void, onComplete: () => void) {
  const session = rig.session()
  session.receive({
    begin: () => ({
      write(bytes) {
        onBytes(bytes.length)
      },
      complete: () => {
        onComplete()
        return 200
      },
      abandoned() {},
    }),
  })
  return { session, ...(await raw(rig, session)) }
}

test('however much many senders have sent, a turn of the event loop takes a part of it, and each gets its turn', async () => {
  await using rig = await Rig.start()
  const count = { inTurn: 0, most: 0, complete: 0, over: false }
  const onTurn = () => {
    count.most = Math.max(count.most, count.inTurn)
    count.inTurn = 0
    if (!count.over) setImmediate(onTurn)
  }
  const senders = []
  for (let index = 0; index < 40; index++) {
    const onBytes = (bytes: number) => (count.inTurn += bytes)
    senders.push(await counted(rig, onBytes, () => count.complete++))
  }
  const answered = senders.map(({ socket }) => once(socket, 'data'))
  setImmediate(onTurn)
  await Promise.all(senders.map(({ socket, session, path }) => sendLarge(socket, session, path, 2)))
  await Promise.all(answered)
  count.over = true
  expect(count.complete).toBe(40)
  expect(count.most).toBeLessThan(20 * mebibyte.length)
  for (const { socket } of senders) socket.destroy()
})
