import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { NgClient } from '../../../src/media/rtpengine/ng-client.ts'
import { type Bencode, type Dictionary, readBencode, writeBencode } from '../../../src/protocols/bencode/bencode.ts'
import { audioOf } from '../rtp/rtp-party.ts'
import { openEngine, openParty } from './rtpengine-rig.ts'

/** Says what it is told to say, to each command that comes; nothing where that is undefined. */
type Script = (keys: Dictionary, times: number) => Bencode | Buffer | undefined

/** Something at a UDP port that speaks bencode, and is no rtpengine. */
class StandIn {
  readonly heard: Dictionary[] = []
  readonly #socket: Socket
  readonly #times = new Map<string, number>()

  static async open(script: Script): Promise<StandIn> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    onTestFinished(() => void socket.close())
    return new StandIn(socket, script)
  }

  constructor(socket: Socket, script: Script) {
    this.#socket = socket
    socket.on('message', (bytes, from) => this.#answer(bytes, from, script))
  }

  get port(): number {
    return this.#socket.address().port
  }

  #answer(bytes: Buffer, from: RemoteInfo, script: Script): void {
    const space = bytes.indexOf(' ')
    const cookie = bytes.toString('latin1', 0, space)
    const times = (this.#times.get(cookie) ?? 0) + 1
    this.#times.set(cookie, times)
    const keys = readBencode(bytes.subarray(space + 1)) as Dictionary
    this.heard.push(keys)
    const reply = script(keys, times)
    if (reply === undefined) return
    const text = Buffer.isBuffer(reply) ? reply : writeBencode(reply)
    this.#socket.send(Buffer.concat([Buffer.from(`${cookie} `), text]), from.port, from.address)
  }
}

function clientOf({ port }: StandIn): NgClient {
  const client = new NgClient({ host: '127.0.0.1', port })
  onTestFinished(() => client.close())
  return client
}

const pong = { result: 'pong' }
const overloaded = { condition: 'overloaded', retryAfter: 5 }

test('a request that is lost, or its reply, is sent again with its cookie', async () => {
  const standIn = await StandIn.open((_, times) => (times < 3 ? undefined : pong))
  expect(await clientOf(standIn).request({ command: 'ping' })).toEqual(pong)
  expect(standIn.heard).toHaveLength(3)
})

test('each reply goes to its request, whatever their order', async () => {
  const standIn = await StandIn.open(({ number }, times) =>
    Number(number) % 2 === 0 && times === 1 ? undefined : { result: 'ok', number: number ?? 0 },
  )
  const client = clientOf(standIn)
  const replies = await Promise.all(Array.from({ length: 300 }, (_, number) => client.request({ number })))
  expect(replies.map(({ number }) => number)).toEqual(replies.map((_, number) => number))
})

test('one that does not answer fails what waits, and is asked again', async () => {
  let answers = false
  const standIn = await StandIn.open(() => (answers ? pong : undefined))
  const client = clientOf(standIn)
  const requests = Array.from({ length: 200 }, (_, number) => client.request({ number }).catch((err) => err))
  for (const failure of await Promise.all(requests)) expect(failure).toMatchObject(overloaded)
  expect(new Set(standIn.heard.map(({ number }) => number)).size).toBeLessThan(200)
  answers = true
  expect(await client.request({ command: 'ping' })).toEqual(pong)
})

test.each([
  ['no bencode', Buffer.from('hello')],
  ['no dictionary', ['a', 'list']],
  ['cut', writeBencode(pong).subarray(0, -1)],
])('a reply that is %s fails its request alone', async (_, reply) => {
  const client = clientOf(await StandIn.open(({ bad }) => (bad === 1 ? reply : pong)))
  const [bad, good] = [client.request({ bad: 1 }), client.request({ bad: 0 })]
  await expect(bad).rejects.toMatchObject(overloaded)
  expect(await good).toEqual(pong)
})

test('a description beyond a datagram is refused, and a closed client asks nobody', async () => {
  const standIn = await StandIn.open(() => pong)
  const client = clientOf(standIn)
  await expect(client.request({ sdp: 'x'.repeat(66_000) })).rejects.toMatchObject({ condition: 'not-acceptable' })
  client.close()
  await expect(client.request({ command: 'ping' })).rejects.toMatchObject(overloaded)
  expect(standIn.heard).toEqual([])
})

test.each([
  [{ result: 'error', 'error-reason': 'Ran out of ports' }, 'overloaded'],
  [{ result: 'load limit', message: 'Parallel session limit reached' }, 'overloaded'],
  [{ result: 'error', 'error-reason': 'Failed to parse SDP' }, 'not-acceptable'],
  [{ result: 'ok' }, 'overloaded'],
  [{ result: 'ok', sdp: 'v=0\r\nnot one\r\n' }, 'overloaded'],
])('the reply %j to an offer is the failure %s', async (reply, condition) => {
  const standIn = await StandIn.open(() => reply)
  const party = (await openParty()).description()
  const line = await openEngine(standIn.port).open(() => {})
  await expect(line.offer('caller', audioOf(party), party)).rejects.toMatchObject({ condition })
})

test('an offer says what rtpengine is to do: no ICE, who may be heard, how packets are marked', async () => {
  const standIn = await StandIn.open(({ sdp }) => ({ result: 'ok', sdp: sdp ?? '' }))
  const party = (await openParty()).description('a=candidate:1 1 UDP 1 192.0.2.1 4000 typ host\r\n')
  const line = await openEngine(standIn.port).open(() => {})
  await line.offer('caller', audioOf(party), party)
  expect(standIn.heard[0]).toMatchObject({ command: 'offer', 'from-tag': 'caller', ICE: 'remove', TOS: 184 })
  expect(standIn.heard[0]?.flags).toContain('strict-source')
})

test('a line that is closed while it is offered is deleted after the offer', async () => {
  const standIn = await StandIn.open(({ sdp }, times) => (times < 2 ? undefined : { result: 'ok', sdp: sdp ?? '' }))
  const party = (await openParty()).description()
  const engine = openEngine(standIn.port)
  const line = await engine.open(() => {})
  const offered = line.offer('caller', audioOf(party), party)
  line.close()
  await offered
  await engine.close()
  expect([...new Set(standIn.heard.map(({ command }) => command))]).toEqual(['offer', 'delete'])
})
