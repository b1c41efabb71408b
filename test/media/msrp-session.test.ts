import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Failure } from '../../src/failure.ts'
import { type IncomingReport, type MsrpSession, wholeMessages } from '../../src/media/msrp/index.ts'
import type { MsrpClient } from '../support/msrp-client.ts'
import { nothingOpen, Rig } from './msrp-rig.ts'

afterEach(nothingOpen)

/** What the session takes in, as text; small messages whole. */
function inbox(session: MsrpSession, maxBytes = 1000, answer = 200) {
  const texts: string[] = []
  const reports: IncomingReport[] = []
  session.receive(
    wholeMessages(
      maxBytes,
      (_, body) => {
        texts.push(body.toString())
        return answer
      },
      (report) => reports.push(report),
    ),
  )
  return { texts, reports }
}

const answerTo = async (client: MsrpClient) => (await client.receive()).what

test('a message that comes is handed over whole, and answered', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  const { texts } = inbox(session)
  const id = client.send({ to: session.path, body: 'hello' })
  const answer = await client.receive()
  expect(answer).toMatchObject({ transactionId: id, what: '200 OK', flag: '$' })
  expect(answer.fields).toEqual({ 'to-path': client.path, 'from-path': session.path })
  expect(texts).toEqual(['hello'])
})

test('what comes before anybody wants it waits', async () => {
  await using rig = await Rig.start()
  const session = rig.session()
  await using client = await rig.client()
  client.send({ to: session.path, body: 'early' })
  client.send({ to: session.path, body: 'bird' })
  const { texts } = inbox(session)
  await session.connect({ path: [client.path], setup: 'passive' })
  expect([await answerTo(client), await answerTo(client)]).toEqual(['200 OK', '200 OK'])
  expect(texts).toEqual(['early', 'bird'])
})

test('chunks make a message in any order, interleaved with those of another', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  const { texts } = inbox(session)
  const chunks = [
    { messageId: 'one1', range: '5-8/12', body: 'EFGH', flag: '+' },
    { messageId: 'two2', range: '1-*/*', body: 'abc', flag: '+' },
    { messageId: 'one1', range: '9-12/12', body: 'IJKL', flag: '$' },
    { messageId: 'two2', range: '4-*/*', body: 'def', flag: '$' },
    { messageId: 'one1', range: '1-*/12', body: 'ABCD', flag: '+' },
  ] as const
  for (const chunk of chunks) {
    client.send({ to: session.path, ...chunk })
    expect(await answerTo(client)).toBe('200 OK')
  }
  expect(texts).toEqual(['abcdef', 'ABCDEFGHIJKL'])
})

test('a message that is given up is dropped', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  const { texts } = inbox(session)
  client.send({ to: session.path, messageId: 'gone1', range: '1-*/10', body: 'abc', flag: '+' })
  client.send({ to: session.path, messageId: 'gone1', range: '4-*/10', body: 'def', flag: '#' })
  client.send({ to: session.path, body: 'next' })
  for (let count = 0; count < 3; count++) expect(await answerTo(client)).toBe('200 OK')
  expect(texts).toEqual(['next'])
})

test('a success report follows when one was asked for, and no response when none was', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  inbox(session)
  client.send({
    to: session.path,
    messageId: 'wish1',
    body: 'hello',
    fields: ['Success-Report: yes', 'Failure-Report: no'],
  })
  const report = await client.receive()
  expect(report).toMatchObject({ what: 'REPORT', body: undefined })
  expect(report.fields).toMatchObject({ 'message-id': 'wish1', 'byte-range': '1-5/5', status: '000 200 OK' })
})

test('Failure-Report partial: a failure is answered, a success is not', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  inbox(session, 10)
  client.send({ to: session.path, body: 'fine', fields: ['Failure-Report: partial'] })
  const id = client.send({ to: session.path, body: 'far too large', fields: ['Failure-Report: partial'] })
  expect(await client.receive()).toMatchObject({ transactionId: id, what: '413 Message Too Large' })
})

test('what takes the message in decides on the answer', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  inbox(session, 1000, 415)
  client.send({ to: session.path, body: 'hello', fields: ['Success-Report: yes'] })
  expect(await answerTo(client)).toBe('415 Media Type Not Supported')
})

test('a message goes out, and resolves with what the peer answered', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  const sent = session.send({ contentType: 'text/plain', body: Buffer.from('hi'), messageId: 'out1' })
  const frame = await client.receive()
  expect(frame).toMatchObject({ what: 'SEND', flag: '$', body: Buffer.from('hi') })
  expect(frame.fields).toEqual({
    'to-path': client.path,
    'from-path': session.path,
    'message-id': 'out1',
    'byte-range': '1-2/2',
    'content-type': 'text/plain',
  })
  client.respond(frame, '413 Enough')
  expect(await sent).toEqual({ code: 413, comment: 'Message Too Large' })
})

test('a report of the peer reaches who sent', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  const { reports } = inbox(session)
  const sent = session.send({ contentType: 'text/plain', body: Buffer.from('hi'), successReport: true })
  const frame = await client.receive()
  expect(frame.fields['success-report']).toBe('yes')
  client.report(frame, '1-2/2', '000 408 Late')
  client.respond(frame)
  await sent
  expect(reports).toEqual([
    {
      messageId: frame.fields['message-id'],
      range: { start: 1, end: 2, total: 2 },
      status: { code: 408, comment: 'Late' },
    },
  ])
})

test('a stream of unknown length goes out in chunks that make up the message', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  async function* pieces() {
    for (const letter of 'abc') yield Buffer.alloc(50_000, letter)
  }
  const got: Buffer[] = []
  client.onFrame = (frame) => {
    expect(frame.fields['byte-range']).toBe(`${got.length * 50_000 + 1}-*/*`)
    got.push(frame.body as Buffer)
    client.respond(frame)
    return true
  }
  expect(await session.send({ contentType: 'text/plain', body: pieces() })).toMatchObject({ code: 200 })
  expect(Buffer.concat(got).toString()).toBe('a'.repeat(50_000) + 'b'.repeat(50_000) + 'c'.repeat(50_000))
})

test('sending stops when the peer answers 413 to what came so far', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  let taken = 0
  async function* endless() {
    for (;;) {
      taken++
      yield Buffer.alloc(65_536)
    }
  }
  client.onFrame = (frame) => {
    if (frame.flag === '+') client.respond(frame, '413 Enough')
    return frame.flag === '+'
  }
  expect(await session.send({ contentType: 'text/plain', body: endless() })).toMatchObject({ code: 413 })
  expect((await client.receive()).flag).toBe('#')
  expect(taken).toBeGreaterThan(1)
})

test('a response that does not come is 408', async () => {
  await using rig = await Rig.start({ transactionMs: 10 })
  const { session } = await rig.joined()
  expect(await session.send({ contentType: 'text/plain', body: Buffer.from('hi') })).toMatchObject({ code: 408 })
})

test('a closed session answers 481 to what waits, and to what comes', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  const sent = session.send({ contentType: 'text/plain', body: Buffer.from('hi') })
  session.close()
  expect(await sent).toMatchObject({ code: 481 })
  await client.receive()
  client.send({ to: session.path, body: 'anybody there?' })
  expect(await answerTo(client)).toBe('481 No Such Session')
})

test('a message that arrived in part is given up when the session ends', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  const events: string[] = []
  session.receive({
    begin: () => ({
      write: (bytes, offset) => void events.push(`${bytes} at ${offset}`),
      complete: () => 200,
      abandoned: () => void events.push('abandoned'),
    }),
  })
  client.send({ to: session.path, range: '3-*/10', body: 'abc', flag: '+' })
  expect(await answerTo(client)).toBe('200 OK')
  session.close()
  expect(events).toEqual(['abc at 2', 'abandoned'])
})

test('slow work on what came slows the sender, and its failure refuses the message', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  const order: string[] = []
  session.receive({
    begin: () => ({
      write: async (bytes) => {
        await sleep(1)
        order.push(`${bytes} written`)
        if (bytes.includes('bad')) throw new Error('disk full')
      },
      complete: () => {
        order.push('complete')
        return 200
      },
      abandoned: () => void order.push('abandoned'),
    }),
  })
  client.send({ to: session.path, body: 'one' })
  client.send({ to: session.path, body: 'bad' })
  expect([await answerTo(client), await answerTo(client)]).toEqual(['200 OK', '413 Message Too Large'])
  expect(order).toEqual(['one written', 'complete', 'bad written', 'abandoned'])
})

test('a To-Path that no session has is 481; the other sessions go on', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  inbox(session)
  client.send({ to: session.path.replace(session.id, 'nobody'), body: 'hello?' })
  client.send({ to: session.path, body: 'hello' })
  expect([await answerTo(client), await answerTo(client)]).toEqual(['481 No Such Session', '200 OK'])
})

test('only the session id of a To-Path counts (RFC 6714)', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  inbox(session)
  client.send({ to: `msrp://10.0.0.1:9999/${session.id};tcp`, body: 'through a NAT' })
  expect(await answerTo(client)).toBe('200 OK')
})

test('several sessions share a connection', async () => {
  await using rig = await Rig.start()
  const [one, two] = [rig.session(), rig.session()]
  const client = await rig.client()
  await rig.bind(one, client)
  await rig.bind(two, client)
  const [first, second] = [inbox(one), inbox(two)]
  client.send({ to: one.path, body: '1' })
  client.send({ to: two.path, body: '2' })
  await client.receive()
  await client.receive()
  one.close()
  client.send({ to: one.path, body: '1' })
  client.send({ to: two.path, body: '2' })
  expect([await answerTo(client), await answerTo(client)]).toEqual(['481 No Such Session', '200 OK'])
  expect([first.texts, second.texts]).toEqual([['1'], ['2', '2']])
})

test('a second connection for a session is 506 while the first is there', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  inbox(session)
  await using stranger = await rig.client()
  stranger.send({ to: session.path, body: 'mine' })
  expect(await answerTo(stranger)).toBe('506 Session Already Bound')
  await client.close()
  stranger.send({ to: session.path, body: 'mine' })
  expect(await answerTo(stranger)).toBe('200 OK')
})

test('a session whose connection does not come back ends', async () => {
  await using rig = await Rig.start({ returnMs: 10 })
  const { session, client } = await rig.joined()
  const lost = new Promise<void>((resolve) => (session.onLost = resolve))
  const closed = new Promise((resolve) => (session.onClosed = resolve))
  await client.close()
  await lost
  expect(await closed).toBe('connection-lost')
})

test.each([
  ['nothing', ''],
  ['half a head', 'MSRP abcd SEND\r\nTo-Path: msrp://x'],
])('a peer that connects and says %s is let go', async (_, text) => {
  await using rig = await Rig.start({ silentMs: 20 })
  await using client = await rig.client()
  client.write(text)
  await client.closed
  expect(rig.dropped).toEqual(['silent'])
})

test.each([
  ['what is not MSRP', 'GET / HTTP/1.1\r\n\r\n'],
  ['headers without end', `MSRP abcd SEND\r\n${'X-Filler: yes\r\n'.repeat(2000)}`],
])('a connection with %s closes, and no other one', async (_, text) => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  inbox(session)
  const stranger = await rig.client()
  stranger.write(text)
  await stranger.closed
  expect(rig.dropped).toEqual(['malformed'])
  client.send({ to: session.path, body: 'still here' })
  expect(await answerTo(client)).toBe('200 OK')
})

test('an end-line inside a body ends the frame there, and the connection with what follows', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  const { texts } = inbox(session)
  client.send({ to: session.path, transactionId: 'smuggle', body: 'one\r\n-------smuggle$\r\ntwo', range: '1-3/3' })
  await client.closed
  expect([texts, rig.dropped]).toEqual([['one'], ['malformed']])
})

test('an end-line of another transaction inside a body is body', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  const { texts } = inbox(session)
  const body = 'one\r\n-------other$\r\nMSRP two SEND\r\n'
  client.send({ to: session.path, body })
  expect(await answerTo(client)).toBe('200 OK')
  expect(texts).toEqual([body])
})

test('a transaction id that repeats gets an answer each time', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  const { texts } = inbox(session)
  for (const body of ['one', 'two']) client.send({ to: session.path, transactionId: 'again1', body })
  expect([await answerTo(client), await answerTo(client)]).toEqual(['200 OK', '200 OK'])
  expect(texts).toEqual(['one', 'two'])
})

test('a response to nothing is passed over', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  inbox(session)
  const paths = `To-Path: ${session.path}\r\nFrom-Path: ${client.path}`
  client.write(`MSRP nothing1 200 OK\r\n${paths}\r\n-------nothing1$\r\n`)
  client.send({ to: session.path, body: 'on we go' })
  expect(await answerTo(client)).toBe('200 OK')
})

test.each([
  ['a Byte-Range that is none', 'SEND', 'Message-ID: m1\r\nByte-Range: 5-1/2\r\n', '400 Bad Request'],
  ['no Message-ID', 'SEND', '', '400 Bad Request'],
  ['a line that is no field', 'SEND', 'nonsense\r\n', '400 Bad Request'],
  ['a method that nobody knows', 'DANCE', 'Message-ID: m1\r\n', '501 Method Not Understood'],
])('%s is answered', async (_, method, fields, answer) => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  inbox(session)
  const paths = `To-Path: ${session.path}\r\nFrom-Path: ${client.path}`
  client.write(`MSRP bad1 ${method}\r\n${paths}\r\n${fields}Content-Type: text/plain\r\n\r\nx\r\n-------bad1$\r\n`)
  client.send({ to: session.path, body: 'good' })
  expect([await answerTo(client), await answerTo(client)]).toEqual([answer, '200 OK'])
})

test('bytes beyond the announced size are refused', async () => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined()
  const { texts } = inbox(session)
  client.send({ to: session.path, range: '1-*/3', body: 'four' })
  expect(await answerTo(client)).toBe('400 Bad Request')
  expect(texts).toEqual([])
})

test.each([
  ['announced', '1-*/2000'],
  ['not announced', '1-*/*'],
])('a message beyond the limit, %s, is 413; the session goes on', async (_, range) => {
  await using rig = await Rig.start()
  const { session, client } = await rig.joined(1000)
  const { texts } = inbox(session)
  client.send({ to: session.path, range, body: 'x'.repeat(2000) })
  client.send({ to: session.path, body: 'small' })
  expect([await answerTo(client), await answerTo(client)]).toEqual(['413 Message Too Large', '200 OK'])
  expect(texts).toEqual(['small'])
})

test('a sender that does not stop after 413 is cut off', async () => {
  await using rig = await Rig.start({ refusedBytes: 5000 })
  const { session, client } = await rig.joined(1000)
  inbox(session)
  const closed = new Promise((resolve) => (session.onClosed = resolve))
  client.send({ to: session.path, range: '1-*/20000', body: 'x'.repeat(20_000) })
  expect(await closed).toBe('oversize')
  expect(await answerTo(client)).toBe('413 Message Too Large')
  await client.closed
})

test('a peer that does not read what it is sent is given up', async () => {
  await using rig = await Rig.start({ stallMs: 50, returnMs: 1 })
  const { session, client } = await rig.joined()
  client.pause()
  const sent = session.send({ contentType: 'text/plain', body: Buffer.alloc(64 * 1024 * 1024) })
  expect(await sent).toMatchObject({ code: 408 })
  expect(rig.dropped).toEqual(['not-reading'])
  client.resume()
  await client.closed
})

test('who sends and does not read the answers is not read either', async () => {
  await using rig = await Rig.start({ stallMs: 200 })
  const { session, client } = await rig.joined()
  session.receive(wholeMessages(10_000, () => 200))
  client.pause()
  const frame = `MSRP flood1 SEND\r\nTo-Path: ${session.path}\r\nFrom-Path: ${client.path}\r\nMessage-ID: m1\r\nByte-Range: 1-1/1\r\n\r\nx\r\n-------flood1$\r\n`
  const flood = frame.repeat(1000)
  for (let count = 0; count < 200; count++) client.write(flood)
  await new Promise<void>((resolve) => (session.onLost = resolve))
  expect(rig.dropped).toEqual(['not-reading'])
  client.resume()
  await client.closed
})

test('connections over the limit of one source are turned away', async () => {
  await using rig = await Rig.start({ connectionsPerSource: 1 })
  await using client = await rig.client()
  const second = connect(rig.port(), '127.0.0.1')
  second.on('error', () => {})
  await once(second, 'close')
  expect(rig.dropped).toEqual(['over-limit'])
  expect(rig.plane.connections).toMatchObject({ inUse: 1, peak: 1 })
  expect(client.path).toBeTruthy()
})

test('sessions over the limit fail with a time to try again', async () => {
  await using rig = await Rig.start({ sessions: 1 })
  const session = rig.session()
  expect(() => rig.session()).toThrow(expect.objectContaining({ condition: 'overloaded', retryAfter: 10 }))
  session.close()
  rig.session()
  expect(rig.plane.sessions).toMatchObject({ inUse: 1, peak: 1, limit: 1 })
})

test('a plane without a listener of the kind says so', async () => {
  const { MsrpPlane } = await import('../../src/media/msrp/index.ts')
  const plane = new MsrpPlane({
    listen: [{ transport: 'tcp', address: '127.0.0.1', port: 0 }],
    advertise: 'msrp.example',
    log: console,
  })
  const [address] = await plane.start()
  expect(plane.offers({ secure: true, transport: 'ws' })).toBe(false)
  expect(() => plane.open({ secure: true, transport: 'tcp' })).toThrow(Failure)
  const { path, id } = plane.open({ secure: false, transport: 'tcp' })
  expect(path).toBe(`msrp://msrp.example:${address?.port}/${id};tcp`)
  await plane.close()
})

test.each(['ws', 'wss'] as const)('over %s each frame is one message (RFC 7977)', async (transport) => {
  await using rig = await Rig.start()
  const session = rig.plane.open({ secure: transport === 'wss', transport: 'ws' })
  const { texts } = inbox(session)
  const client = new WebSocket(`${transport}://127.0.0.1:${rig.port(transport)}`, 'msrp', { rejectUnauthorized: false })
  const messages: string[] = []
  client.on('message', (data) => messages.push(String(data)))
  await once(client, 'open')
  const scheme = transport === 'wss' ? 'msrps' : 'msrp'
  await session.connect({ path: [`${scheme}://x.invalid:1/me;ws`], setup: 'passive' })
  const paths = `To-Path: ${session.path}\r\nFrom-Path: ${scheme}://x.invalid:1/me;ws`
  client.send(`MSRP abcd SEND\r\n${paths}\r\nMessage-ID: m1\r\nByte-Range: 1-2/2\r\n\r\nhi\r\n-------abcd$\r\n`)
  await once(client, 'message')
  expect(texts).toEqual(['hi'])
  messages.length = 0
  client.on('message', (data) => {
    const id = /^MSRP (\S+)/.exec(String(data))?.[1]
    client.send(`MSRP ${id} 200 OK\r\n${paths}\r\n-------${id}$\r\n`)
  })
  const sent = session.send({ contentType: 'text/plain', body: Buffer.alloc(150_000, 'x') })
  expect(await sent).toMatchObject({ code: 200 })
  expect(messages.map((text) => text.at(-3))).toEqual(['+', '+', '$'])
  client.close()
  await once(client, 'close')
})

test('a WebSocket that does not speak MSRP is refused', async () => {
  await using rig = await Rig.start()
  const client = new WebSocket(`ws://127.0.0.1:${rig.port('ws')}`, 'sip')
  const [error] = await once(client, 'error')
  expect(String(error)).toContain('400')
})
