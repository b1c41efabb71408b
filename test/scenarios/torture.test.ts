import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Outcome, type TortureFile, tortureFiles } from '../protocols/fixtures/rfc4475.ts'
import type { Phone } from '../support/phone.ts'
import { readSipText, type SipText, SipTextStream } from '../support/sip-text.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

let server: TestServer
let witness: Phone
const unlimited = {
  'sip.limits.requestsPerSecond': '0',
  'sip.limits.connectionsPerSource': '0',
  'sip.auth.maxFailures': '0',
}

beforeAll(async () => {
  server = await startServer({ settings: unlimited })
  witness = await server.phone('carol')
})
afterAll(() => server[Symbol.asyncDispose]())

test.each(tortureFiles)('$file (RFC 4475 §$clause) over UDP: $note', async (torture) => {
  const bytes = bytesOf(torture)
  await using socket = await TortureSocket.open(bytes)
  socket.send(bytes)
  expectAll(await socket.outcomes(torture.accepted), torture.accepted)
  await expectServing()
})

test.each(tortureFiles)('$file over UDP, cut off after every byte, does no harm', async (torture) => {
  const bytes = bytesOf(torture)
  await using socket = await TortureSocket.open(bytes)
  for (let length = 0; length < bytes.length; length++) {
    socket.send(bytesOf(torture).subarray(0, length))
    if (length % 64 === 0) await expectServing()
  }
  await expectServing()
})

test.each(tortureFiles)('$file over TCP: $note', async (torture) => {
  const bytes = bytesOf(torture)
  expectAll(await overTcp([bytes], onStream(torture)), onStream(torture))
  await expectServing()
})

test.each(tortureFiles)('$file over TCP in two pieces, cut at every byte, comes to the same', async (torture) => {
  const bytes = bytesOf(torture)
  const accepted = onStream(torture)
  for (let at = 1; at < bytes.length; at += 16) {
    const cuts = Array.from({ length: Math.min(16, bytes.length - at) }, (_, more) => at + more)
    const pieces = cuts.map((cut) => cutAt(bytesOf(torture), cut))
    for (const outcomes of await Promise.all(pieces.map((both) => overTcp(both, accepted))))
      expectAll(outcomes, accepted)
  }
  await expectServing()
})

test.each(tortureFiles)('$file over TCP, ended after every byte, does no harm', async (torture) => {
  const bytes = bytesOf(torture)
  for (let length = 0; length < bytes.length; length += 16) {
    const ends = Array.from({ length: Math.min(16, bytes.length - length) }, (_, more) => length + more)
    await Promise.all(ends.map((end) => sendAndReset(bytes.subarray(0, end))))
  }
  await expectServing()
})

/** A file, with another branch and Call-ID each time: several have the same, and would be taken for retransmissions. */
function bytesOf({ file }: TortureFile): Buffer {
  const bytes = readFileSync(join(import.meta.dirname, `../protocols/fixtures/rfc4475/${file}.dat`))
  const other = bytes
    .toString('latin1')
    .replace(/(?<=z9hG4bK)[^;,\s]+/g, another)
    .replace(/(?<=^(?:call-id|i)\s*:\s*)[A-Za-z0-9]+/gim, another)
  return Buffer.from(other, 'latin1')
}

const another = (text: string): string =>
  text.replace(/[A-Za-z0-9]/g, () => Math.floor(Math.random() * 36).toString(36))
const cutAt = (bytes: Buffer, at: number): readonly Buffer[] => [bytes.subarray(0, at), bytes.subarray(at)]
const onStream = (torture: TortureFile): readonly Outcome[] => torture.overStream ?? torture.accepted

function expectAll(outcomes: readonly Outcome[], accepted: readonly Outcome[]): void {
  expect(outcomes.length).toBeGreaterThan(0)
  for (const outcome of outcomes) expect(accepted).toContain(outcome)
}

/** What the server does with a request that is in order. */
async function expectServing(): Promise<void> {
  expect((await witness.request('OPTIONS', `sip:${server.domain}`)).status).toBe(200)
}

const isFinal = (message: SipText): boolean => !message.isRequest && message.status >= 200

/**
 * What came of it. Where an answer must come, it is waited for; where silence will do, another request that is served
 * meanwhile shows that the server has read this one.
 */
async function settled(answers: readonly SipText[], first: Promise<unknown>, accepted: readonly Outcome[]) {
  if (accepted.includes('silence')) await expectServing()
  else await first
  const finals = answers.filter(isFinal)
  return finals.length === 0 ? (['silence'] as const) : finals.map((answer) => answer.status)
}

/**
 * A socket where the answer to a request without rport goes: its own address, and the port of the top Via (RFC 3261
 * §18.2.2). The address is one of the many of the loopback, so that the port is free.
 */
class TortureSocket implements AsyncDisposable {
  readonly #socket: UdpSocket
  readonly #answers: SipText[] = []
  readonly #first: Promise<void>

  static async open(bytes: Buffer): Promise<TortureSocket> {
    const socket = createSocket('udp4')
    socket.bind(sentByPort(bytes), someLoopback())
    await once(socket, 'listening')
    return new TortureSocket(socket)
  }

  constructor(socket: UdpSocket) {
    this.#socket = socket
    this.#first = new Promise((resolve) => {
      socket.on('message', (datagram) => {
        const read = readSipText(datagram, true)
        if (read === undefined) return
        this.#answers.push(read.message)
        if (isFinal(read.message)) resolve()
      })
    })
  }

  send(bytes: Buffer): void {
    const { port, address } = server.address('udp')
    this.#socket.send(bytes, port, address)
  }

  outcomes(accepted: readonly Outcome[]): Promise<readonly Outcome[]> {
    return settled(this.#answers, this.#first, accepted)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close()
  }
}

function sentByPort(bytes: Buffer): number {
  const text = bytes.toString('latin1').replace(/\r\n[ \t]+/g, ' ')
  const via = /^(?:via|v)\s*:\s*SIP\s*\/\s*[\d.]+\s*\/\s*\S+\s+[^\s;:,]+(?:\s*:\s*(\d+))?/im.exec(text)
  return Number(via?.[1] ?? 5060)
}

const someLoopback = (): string => `127.${[1, 2, 3].map(() => 1 + Math.floor(Math.random() * 253)).join('.')}`

async function overTcp(pieces: readonly Buffer[], accepted: readonly Outcome[]): Promise<readonly Outcome[]> {
  const { address, port } = server.address('tcp')
  const socket = createConnection({ host: address, port, noDelay: true })
  const answers: SipText[] = []
  const stream = new SipTextStream(() => {})
  const first = new Promise<void>((resolve) => {
    socket.on('data', (bytes) => {
      for (const message of stream.read(bytes)) answers.push(message)
      if (answers.some(isFinal)) resolve()
    })
    socket.on('close', () => resolve())
    socket.on('error', () => resolve())
  })
  await once(socket, 'connect')
  for (const piece of pieces) socket.write(piece)
  const outcomes = await settled(answers, first, accepted)
  socket.resetAndDestroy()
  return outcomes
}

async function sendAndReset(bytes: Buffer): Promise<void> {
  const { address, port } = server.address('tcp')
  const socket = createConnection({ host: address, port })
  socket.on('error', () => {})
  await once(socket, 'connect')
  if (bytes.length > 0) await new Promise((resolve) => socket.write(bytes, resolve))
  socket.resetAndDestroy()
}
