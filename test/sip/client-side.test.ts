import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { SipResponse } from '../../src/protocols/sip/message.ts'
import type { Transport } from '../../src/sip/sip-stack.ts'
import { DnsServer } from '../support/dns-server.ts'
import { eventually } from '../support/eventually.ts'
import { SipTextStream } from '../support/sip-text.ts'
import { identity, Mailbox, readOne, replyTo, requestTo, StackRig } from './stack-rig.ts'

/** A server of one UDP socket, and of a TCP one on the same port if it is to have it, that answers with `status`. */
class AnsweringServer {
  readonly requests = new Mailbox<{ transport: Transport; via: string; branch: string }>()
  status: number | 'silence' = 200
  port = 0
  readonly #udp = createSocket('udp4')
  #tcp: Server | undefined

  /** The port is free for UDP; where somebody has it for TCP, another one is taken. */
  static async start(withTcp: boolean): Promise<AnsweringServer> {
    for (;;) {
      const server = new AnsweringServer()
      await server.#listenUdp()
      if (!withTcp || (await server.#listenTcp())) return server
      server.#udp.close()
    }
  }

  get uri(): string {
    return `sip:127.0.0.1:${this.port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#udp.close()
    this.#tcp?.close()
  }

  async #listenUdp(): Promise<void> {
    this.#udp.on('message', (bytes, from) => {
      const reply = this.#take('udp', bytes)
      if (reply !== undefined) this.#udp.send(reply, from.port, from.address)
    })
    this.#udp.bind(0, '127.0.0.1')
    await once(this.#udp, 'listening')
    this.port = this.#udp.address().port
  }

  async #listenTcp(): Promise<boolean> {
    this.#tcp = createServer((socket) => this.#serve(socket)).listen(this.port, '127.0.0.1')
    return await once(this.#tcp, 'listening').then(
      () => true,
      () => false,
    )
  }

  #serve(socket: Socket): void {
    const stream = new SipTextStream(() => {})
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      for (const message of stream.read(bytes)) {
        const reply = this.#take('tcp', message.toBytes())
        if (reply !== undefined) socket.write(reply)
      }
    })
  }

  #take(transport: Transport, bytes: Buffer): Buffer | undefined {
    const request = readOne(bytes)
    if (request === undefined) return undefined
    const via = request.header('via') ?? ''
    this.requests.put({ transport, via, branch: /branch=([^;]+)/.exec(via)?.[1] ?? '' })
    return this.status === 'silence' || request.method === 'ACK'
      ? undefined
      : Buffer.from(replyTo(request, this.status), 'latin1')
  }
}

const large = Buffer.alloc(1400, 'x')

describe('a request over UDP', () => {
  test('is retransmitted until it is answered, and told once', async () => {
    await using server = await AnsweringServer.start(false)
    server.status = 'silence'
    await using rig = await StackRig.start(['udp'])
    const sent = rig.send(requestTo(server.uri), {})
    const first = await server.requests.take()
    server.status = 200
    expect((await server.requests.take()).branch).toBe(first.branch)
    expect((await sent).response.status).toBe(200)
    expect(rig.retransmitted).toBe(1)
  })

  test('that nobody answers is a local 408 when timer F fires', async () => {
    await using server = await AnsweringServer.start(false)
    server.status = 'silence'
    await using rig = await StackRig.start(['udp'])
    const sent = rig.send(requestTo(server.uri), {})
    await server.requests.take()
    rig.skip(33_000)
    const { response, local } = await sent
    expect([response.status, local]).toEqual([408, true])
    expect(rig.stack.held).toMatchObject({ clients: 0, timers: 0 })
  })

  test('that is abandoned is a local 408 at once; its late response is absorbed', async () => {
    await using server = await AnsweringServer.start(false)
    await using rig = await StackRig.start(['udp'])
    const finals: [number, boolean][] = []
    const transaction = rig.stack.send(requestTo(server.uri), {}, (response, local) => {
      finals.push([response.status, local])
    })
    transaction.abandon()
    transaction.abandon()
    await server.requests.take()
    const other = await rig.send(requestTo(server.uri), {})
    expect(other.response.status).toBe(200)
    expect(finals).toEqual([[408, true]])
    expect(rig.dropped).toEqual([])
  })

  test('hears of provisional responses', async () => {
    await using server = await AnsweringServer.start(false)
    server.status = 183
    await using rig = await StackRig.start(['udp'])
    const heard = new Mailbox<SipResponse>()
    const transaction = rig.stack.send(
      requestTo(server.uri),
      {},
      () => {},
      (response) => heard.put(response),
    )
    expect((await heard.take()).status).toBe(183)
    transaction.abandon()
  })

  test('to a URI that cannot be read or leads nowhere is a local 503, and never within the call', async () => {
    await using rig = await StackRig.start(['udp'])
    for (const uri of ['', 'sip:', 'nonsense', 'sip:127.0.0.1;transport=sctp', 'tel:+15550001', 'mailto:a@b']) {
      let within = true
      const final = new Promise<[number, boolean, boolean]>((resolve) => {
        rig.stack.send(requestTo('sip:x'), { uri }, (response, local) => resolve([response.status, local, within]))
      })
      within = false
      expect(await final).toEqual([503, true, false])
    }
  })

  test('goes to its topmost Route before anything else', async () => {
    await using server = await AnsweringServer.start(false)
    await using rig = await StackRig.start(['udp'])
    const request = requestTo('sip:bob@10.255.255.255')
    request.headers.add('Route', `<sip:127.0.0.1:${server.port};lr>, <sip:10.255.255.254;lr>`)
    expect((await rig.send(request, { uri: 'sip:10.255.255.253' })).response.status).toBe(200)
  })
})

describe('a large request (RFC 3261 §18.1.1)', () => {
  test('goes over TCP where UDP is not asked for by name', async () => {
    await using server = await AnsweringServer.start(true)
    await using rig = await StackRig.start(['udp'])
    await rig.send(requestTo(server.uri, { body: large }), {})
    await rig.send(requestTo(server.uri), {})
    await rig.send(requestTo(`${server.uri};transport=udp`, { body: large }), {})
    const took = [await server.requests.take(), await server.requests.take(), await server.requests.take()]
    expect(took.map(({ transport, via }) => [transport, via.slice(0, 12)])).toEqual([
      ['tcp', 'SIP/2.0/TCP '],
      ['udp', 'SIP/2.0/UDP '],
      ['udp', 'SIP/2.0/UDP '],
    ])
  })

  test('falls back to UDP where TCP is refused, with a branch of its own, and remembers it', async () => {
    await using server = await AnsweringServer.start(false)
    await using rig = await StackRig.start(['udp'])
    for (let n = 0; n < 2; n++) {
      expect((await rig.send(requestTo(server.uri, { body: large }), {})).response.status).toBe(200)
      const { transport, via } = await server.requests.take()
      expect([transport, via.slice(0, 12)]).toEqual(['udp', 'SIP/2.0/UDP '])
    }
    expect(server.requests.size).toBe(0)
  })

  test('stays on a UDP flow: the client behind it listens nowhere', async () => {
    await using server = await AnsweringServer.start(true)
    await using rig = await StackRig.start(['udp'])
    const flow = `udp/127.0.0.1:${rig.at('udp').port}/127.0.0.1:${server.port}`
    expect((await rig.send(requestTo('sip:bob@x', { body: large }), { flow })).response.status).toBe(200)
    expect((await server.requests.take()).transport).toBe('udp')
  })

  test('that no datagram can take is a local 503 where there is UDP alone', async () => {
    await using server = await AnsweringServer.start(false)
    await using rig = await StackRig.start(['udp'])
    const body = Buffer.alloc(70_000, 'x')
    const { response, local } = await rig.send(requestTo(`${server.uri};transport=udp`, { body }), {})
    expect([response.status, local]).toEqual([503, true])
  })
})

describe('several addresses (RFC 3263 §4.3)', () => {
  async function zoneOf(...servers: readonly { port: number }[]) {
    const srv = servers.map(({ port }, n) => ({ priority: n, weight: 1, port, target: 'host.d.test' }))
    return await DnsServer.start({
      '_sip._udp.d.test': { srv },
      '_sip._tcp.d.test': { srv },
      'host.d.test': { a: ['127.0.0.1'] },
    })
  }

  test('a 503 makes the next one be asked, with a branch of its own', async () => {
    await using busy = await AnsweringServer.start(false)
    await using well = await AnsweringServer.start(false)
    busy.status = 503
    await using dns = await zoneOf(busy, well)
    await using rig = await StackRig.start(['udp'], { dns: dns.address })
    expect((await rig.send(requestTo('sip:bob@d.test'), {})).response.status).toBe(200)
    const [first, second] = [await busy.requests.take(), await well.requests.take()]
    expect(first.branch).not.toBe(second.branch)
  })

  test('the 503 of the last one is the answer', async () => {
    await using busy = await AnsweringServer.start(false)
    busy.status = 503
    await using dns = await zoneOf(busy, busy)
    await using rig = await StackRig.start(['udp'], { dns: dns.address })
    const { response, local } = await rig.send(requestTo('sip:bob@d.test'), {})
    expect([response.status, local, busy.requests.size]).toEqual([503, false, 2])
  })

  test('a refusal by somebody is an answer, and ends it', async () => {
    await using first = await AnsweringServer.start(false)
    await using second = await AnsweringServer.start(false)
    first.status = 404
    await using dns = await zoneOf(first, second)
    await using rig = await StackRig.start(['udp'], { dns: dns.address })
    expect((await rig.send(requestTo('sip:bob@d.test'), {})).response.status).toBe(404)
    expect(second.requests.size).toBe(0)
  })

  test('a connection that is refused makes the next one be asked', async () => {
    await using down = await AnsweringServer.start(false)
    await using up = await AnsweringServer.start(true)
    await using dns = await zoneOf(down, up)
    await using rig = await StackRig.start(['udp'], { dns: dns.address })
    expect((await rig.send(requestTo('sip:bob@d.test;transport=tcp'), {})).response.status).toBe(200)
    expect((await up.requests.take()).transport).toBe('tcp')
  })

  test('silence makes the next one be asked when timer F fires', async () => {
    await using mute = await AnsweringServer.start(false)
    await using well = await AnsweringServer.start(false)
    mute.status = 'silence'
    await using dns = await zoneOf(mute, well)
    await using rig = await StackRig.start(['udp'], { dns: dns.address })
    const sent = rig.send(requestTo('sip:bob@d.test'), {})
    await mute.requests.take()
    rig.skip(33_000)
    expect((await sent).response.status).toBe(200)
  })

  test('a static route goes before DNS', async () => {
    await using server = await AnsweringServer.start(false)
    await using rig = await StackRig.start(['udp'], {
      routeFor: (host) => (host === 'd.test' ? server.uri : undefined),
    })
    expect((await rig.send(requestTo('sip:bob@d.test'), {})).response.status).toBe(200)
  })
})

describe('INVITE', () => {
  test('a failure is acknowledged over the way of the request, with its branch', async () => {
    await using server = await AnsweringServer.start(true)
    server.status = 486
    await using rig = await StackRig.start(['udp'])
    for (const transport of ['udp', 'tcp'] as const) {
      const request = requestTo(`${server.uri};transport=${transport}`, { method: 'INVITE' })
      expect((await rig.send(request, {})).response.status).toBe(486)
      const [invite, ack] = [await server.requests.take(), await server.requests.take()]
      expect(ack).toEqual(invite)
    }
  })

  test('that is abandoned once it rings is cancelled', async () => {
    await using server = await AnsweringServer.start(false)
    server.status = 180
    await using rig = await StackRig.start(['udp'])
    const ringing = new Mailbox<SipResponse>()
    const finals: number[] = []
    const onFinal = (response: SipResponse) => void finals.push(response.status)
    const request = requestTo(server.uri, { method: 'INVITE' })
    const transaction = rig.stack.send(request, {}, onFinal, (response) => ringing.put(response))
    await ringing.take()
    const invite = await server.requests.take()
    server.status = 200
    transaction.abandon()
    expect((await server.requests.take()).branch).toBe(invite.branch)
    expect(finals).toEqual([408])
  })
})

describe('TLS', () => {
  const secure = (rig: StackRig) => `sips:bob@localhost:${rig.at('tls').port}`

  test('a certificate of an authority that is believed is taken, another one is not, unless none is asked for', async () => {
    await using server = await StackRig.start(['tls'])
    const outcomes = []
    for (const trust of [{ ca: identity.cert }, {}, { verify: false }]) {
      await using rig = await StackRig.start([], { trust })
      outcomes.push((await rig.send(requestTo(secure(server)), {})).response.status)
    }
    expect(outcomes).toEqual([200, 503, 200])
  })

  test('a certificate for another name is not taken (RFC 5922 §7.1)', async () => {
    await using server = await StackRig.start(['tls'])
    const routeFor = () => `sips:wrong.test:${server.at('tls').port};maddr=127.0.0.1`
    await using rig = await StackRig.start([], { routeFor })
    const { response, local } = await rig.send(requestTo('sips:bob@d.test'), {})
    expect([response.status, local]).toEqual([503, true])
  })
})

test('a request goes out under the advertised address, which is this server’s own', async () => {
  await using server = await AnsweringServer.start(false)
  await using rig = await StackRig.start(['udp', 'tcp'], { advertise: 'sip.example.test:15060' })
  await rig.send(requestTo(server.uri), {})
  expect((await server.requests.take()).via).toMatch(/^SIP\/2\.0\/UDP sip\.example\.test:15060;branch=/)
  expect(rig.stack.ownUri('udp')).toBe('sip:sip.example.test:15060')
  expect(rig.stack.ownUri('tcp')).toBe(`sip:sip.example.test:${rig.at('tcp').port};transport=tcp`)
  expect(rig.stack.isOwnAddress('SIP.example.test', 15060)).toBe(true)
  expect(rig.stack.isOwnAddress('127.0.0.1', rig.at('udp').port)).toBe(true)
  expect(rig.stack.isOwnAddress('127.0.0.1', 1)).toBe(false)
  expect(rig.stack.isOwnAddress('other.test', 15060)).toBe(false)
  await eventually(() => expect(rig.dropped).toEqual([]))
})
