import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { Mailbox } from '../sip/stack-rig.ts'
import { DrachtioDaemon } from '../support/drachtio-daemon.ts'
import { type Frame, FrameReader, mostPayloadBytes } from '../support/drachtio-frames.ts'
import type { SipText } from '../support/sip-text.ts'
import { openWire } from '../support/wire.ts'

/** As written by drachtio-srf 5.0.29 to drachtio-server 0.9.10. */
const captured = {
  authenticate: '65#bc2c7aaa-5185-45fc-ad75-5714c2f1be29|authenticate|evalsecret|tagA',
  route: '50#81247b9e-cb63-46f4-b74e-4f6a57a35f71|route|message',
  ping: '41#b7b57db5-338f-4d69-af88-348cbc0ad8a0|ping',
  request:
    '185#d4cc5105-8acf-4766-9c08-d24f72d6e17a|sip||\r\nMESSAGE sip:peer@127.0.0.1:15090 SIP/2.0\r\nFrom: <sip:app@localhost>\r\nContent-Type: text/plain\r\nX-Custom-hdr: v1\r\nContent-Length: 7\r\n\r\nhi peer',
}

/** An app, without drachtio-srf. */
class AppConnection {
  readonly frames = new Mailbox<Frame>()
  readonly #socket: Socket
  readonly closed: Promise<unknown>

  private constructor(socket: Socket) {
    const reader = new FrameReader()
    this.#socket = socket
    this.closed = once(socket, 'close')
    socket.on('data', (bytes) => {
      for (const frame of reader.read(bytes)) this.frames.put(frame)
    })
  }

  static async to(daemon: DrachtioDaemon): Promise<AppConnection> {
    const socket = createConnection(daemon.port, '127.0.0.1')
    await once(socket, 'connect')
    return new AppConnection(socket)
  }

  send(frame: string): void {
    this.#socket.write(frame)
  }

  /** What is answered: the line and the SIP after it. */
  async ask(frame: string): Promise<{ line: string; sip: string }> {
    this.send(frame)
    return this.take()
  }

  async take(): Promise<{ line: string; sip: string }> {
    const { meta, sip } = await this.frames.take()
    return { line: meta.join('|'), sip: sip?.toString() ?? '' }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}

const framed = (payload: string) => `${Buffer.byteLength(payload)}#${payload}`
const requestTo = (port: number) => framed(captured.request.slice(4).replace('15090', String(port)))

async function start() {
  const daemon = await DrachtioDaemon.start({ secret: 'evalsecret' })
  const app = await AppConnection.to(daemon)
  const port = Number(/udp\/127\.0\.0\.1:(\d+)/.exec(daemon.hostPorts)?.[1])
  const messages = new Mailbox<SipText>()
  const peer = await openWire(
    { transport: 'udp', address: '127.0.0.1', port },
    { onMessage: (one) => messages.put(one) },
  )
  const dispose = async () => {
    app[Symbol.dispose]()
    peer.close()
    await daemon.close()
  }
  return { daemon, app, port, peer, messages, [Symbol.asyncDispose]: dispose }
}

test('captured frames are read, wherever the stream is cut', () => {
  const stream = Buffer.from(Object.values(captured).join(''))
  for (let cut = 0; cut <= stream.length; cut++) {
    const reader = new FrameReader()
    const frames = [...reader.read(stream.subarray(0, cut)), ...reader.read(stream.subarray(cut))]
    expect(frames.map(({ meta }) => meta.join('|'))).toEqual([
      'authenticate|evalsecret|tagA',
      'route|message',
      'ping',
      'sip||',
    ])
    expect(frames[3]?.sip?.toString()).toMatch(/^MESSAGE sip:peer@.*\r\n\r\nhi peer$/s)
  }
})

test('an app is let in, told where SIP is listened for, and answered its pings', async () => {
  await using rig = await start()
  const { hostPorts } = rig.daemon
  expect((await rig.app.ask(captured.authenticate)).line).toBe(
    `response|bc2c7aaa-5185-45fc-ad75-5714c2f1be29|OK|${hostPorts}|v0.9.10-1-g9c2dd4cb6a|${hostPorts}`,
  )
  expect((await rig.app.ask(captured.route)).line).toBe('response|81247b9e-cb63-46f4-b74e-4f6a57a35f71|OK')
  expect((await rig.app.ask(captured.ping)).line).toBe('response|b7b57db5-338f-4d69-af88-348cbc0ad8a0|OK|pong')
})

test('a wrong secret ends the connection, but what comes before the answer is obeyed', async () => {
  await using rig = await start()
  expect((await rig.app.ask(captured.route)).line).toMatch(/\|OK$/)
  expect((await rig.app.ask(framed('1|authenticate|wrong|'))).line).toBe('response|1|NO|incorrect secret')
  await rig.app.closed
})

test('a request comes to an app that asked for its method, and is answered as the app says', async () => {
  await using rig = await start()
  await rig.app.ask(captured.route)
  const sentBy = rig.peer.sentBy
  const head = `MESSAGE sip:app@127.0.0.1:${rig.port} SIP/2.0\r\nVia: SIP/2.0/UDP ${sentBy};rport;branch=z9hG4bKfziukgkzoeb\r\n`
  const rest =
    'Max-Forwards: 70\r\nFrom: <sip:peer@example.test>;tag=peertag\r\nTo: <sip:app@example.test>\r\nCall-ID: call-1@peer\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello'
  rig.peer.send(Buffer.from(head + rest))
  const { line, sip } = await rig.app.take()
  const [, , bytes, , , port, time, txnId] = line.split('|')
  expect(line).toMatch(/^sip\|network\|\d+\|udp\|127\.0\.0\.1\|\d+\|[\d:.]{15}\|[0-9a-f-]{36}\|\|127\.0\.0\.1\|\d+\|$/)
  expect([Number(bytes), port, time?.length]).toEqual([Buffer.byteLength(sip), String(rig.peer.localPort), 15])
  expect(sip).toMatch(new RegExp(`;rport=${rig.peer.localPort}.*hello$`, 's'))
  const reply = `2|sip|${txnId}|\r\nSIP/2.0 200 OK\r\nCall-ID: call-1@peer\r\ncseq: 1 MESSAGE\r\nfrom: <sip:peer@example.test>;tag=peertag\r\nto: <sip:app@example.test>\r\nX-custom: v1\r\nretry-after: 5\r\nContent-Length: 0\r\n\r\n`
  const echo = await rig.app.ask(framed(reply))
  expect(echo.line).toMatch(
    new RegExp(
      `^response\\|2\\|OK\\|application\\|\\d+\\|\\|127.0.0.1\\|\\d+\\|[\\d:.]+\\|${txnId}\\|\\|\\|Msg sent:\\|$`,
    ),
  )
  const answer = await rig.messages.take()
  expect([answer.status, answer.header('X-custom'), answer.header('Retry-After')]).toEqual([200, 'v1', '5'])
  expect((await rig.app.ask(framed(reply))).line).toBe('response|2|NOK|Response not sent due to unknown transaction')
})

test('a request of the app is completed, echoed before it is answered, and its response comes under the same id', async () => {
  await using rig = await start()
  const echo = await rig.app.ask(requestTo(rig.peer.localPort))
  const id = /\|([0-9a-f-]{36})\|Msg sent:\|$/.exec(echo.line)?.[1]
  expect(echo.line).toMatch(
    /^response\|d4cc5105-8acf-4766-9c08-d24f72d6e17a\|OK\|application\|\d+\|udp\|127\.0\.0\.1\|\d+\|/,
  )
  const request = await rig.messages.take()
  expect([request.text, request.header('X-Custom-hdr'), request.header('Max-Forwards')]).toEqual([
    'hi peer',
    'v1',
    '70',
  ])
  expect(request.header('From')).toMatch(/^<sip:app@127\.0\.0\.1:\d+>;tag=/)
  expect([request.header('To'), request.all('Contact')]).toEqual([`<sip:peer@127.0.0.1:${rig.peer.localPort}>`, []])
  const lines = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${request.header(name)}`)
  rig.peer.send(
    Buffer.from(
      `SIP/2.0 200 OK\r\n${lines.join('\r\n')};tag=1\r\nContent-Length: 0\r\n\r\n`.replace('MESSAGE;tag=1', 'MESSAGE'),
    ),
  )
  expect((await rig.app.take()).line).toMatch(new RegExp(`^sip\\|network\\|.*\\|${id}\\|\\|$`))
})

test('what drachtio-server refuses is refused in its words', async () => {
  await using rig = await start()
  const { app, port } = rig
  const refused = async (meta: string, sip: string) => (await app.ask(framed(`3|sip|${meta}\r\n${sip}`))).line
  const untyped = 'MESSAGE sip:peer@127.0.0.1:9 SIP/2.0\r\n\r\nhi'
  expect(await refused('|', untyped)).toBe('response|3|NOK|missing content-type')
  const own = `MESSAGE sip:peer@127.0.0.1:${port} SIP/2.0\r\n\r\n`
  expect(await refused('|', own)).toBe('response|3|NOK|can not send request to myself')
  expect(await refused('|', 'MESSAGE tel:+1 SIP/2.0\r\n\r\n')).toBe(
    'response|3|NOK|invalid request-uri: MESSAGE tel:+1 SIP/2.0',
  )
  expect(await refused('|none;from-tag=1', 'BYE sip:placeholder SIP/2.0\r\n\r\n')).toBe(
    'response|3|NOK|Server error: unable to find dialog for dialog id provided',
  )
  expect(await refused('gone|', 'CANCEL sip:placeholder SIP/2.0\r\n\r\n')).toBe(
    'response|3|NOK|unable to cancel unknown transaction id: gone',
  )
  expect(await refused('|', 'SIP/2.0 200 OK\r\n\r\n')).toBe('response|3|NOK|transaction id missing')
})

test('remove_route takes every method away, and a method that nobody asked for is answered 503', async () => {
  await using rig = await start()
  await rig.app.ask(captured.route)
  await rig.app.ask(framed('4|remove_route|info'))
  const head = `MESSAGE sip:app@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP ${rig.peer.sentBy};rport;branch=z9hG4bK2\r\n`
  const rest = 'From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 5\r\nCSeq: 1 MESSAGE\r\n\r\n'
  rig.peer.send(Buffer.from(head + rest))
  expect((await rig.messages.take()).status).toBe(503)
})

test('a frame that is too long blocks its connection for good, and what is no length closes it', async () => {
  const reader = new FrameReader()
  const long = 'x'.repeat(mostPayloadBytes + 1)
  expect([...reader.read(Buffer.from(framed(long) + captured.ping))]).toEqual([])
  expect(reader.isWedged).toBe(true)
  await using rig = await start()
  rig.app.send('HELLO#')
  await rig.app.closed
})
