import { once } from 'node:events'
import { createConnection, createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { responseTo } from '../../src/protocols/sip/respond.ts'
import { readBindingResponse, writeBindingRequest } from '../../src/protocols/stun/binding.ts'
import { Unlistenable } from '../../src/sip/sip-stack.ts'
import { eventually } from '../support/eventually.ts'
import { SipTextStream } from '../support/sip-text.ts'
import { Mailbox, Peer, readOne, requestBytes, requestTo, StackRig } from './stack-rig.ts'

const all = ['udp', 'tcp', 'tls', 'ws', 'wss'] as const
const streams = ['tcp', 'tls', 'ws', 'wss'] as const

describe('every transport', () => {
  test.each(all)('%s carries a request in and its response back, over IPv4 and IPv6', async (transport) => {
    const listen = ['127.0.0.1', '::1'].map((address) => ({ transport, address, port: 0 }))
    await using rig = await StackRig.start([], { listen })
    for (const { address } of listen) {
      using peer = await Peer.to(rig.at(transport, address))
      peer.send(requestBytes({ transport: transport.toUpperCase(), sentBy: peer.wire.sentBy, body: 'grüße' }))
      const { request, source } = await rig.requests.take()
      expect(request.body.toString()).toBe('grüße')
      expect(source).toMatchObject({ transport, address, trusted: false })
      expect((await peer.messages.take()).status).toBe(200)
    }
  })

  test.each(all)('%s carries a request out, over IPv4 and IPv6, and its response in', async (transport) => {
    await using server = await StackRig.start([], {
      listen: ['127.0.0.1', '::1'].map((address) => ({ transport, address, port: 0 })),
    })
    await using client = await StackRig.start([], {
      listen: ['127.0.0.1', '::1'].map((address) => ({ transport: 'udp' as const, address, port: 0 })),
    })
    for (const { address, port } of server.listening) {
      const host = address === '::1' ? '[::1]' : address
      const { response, local } = await client.send(requestTo(`sip:${host}:${port};transport=${transport}`), {})
      expect([response.status, local]).toEqual([200, false])
      const via = (await server.requests.take()).request.headers.get('via')
      expect(via).toMatch(new RegExp(`^SIP/2.0/${transport.toUpperCase()} \\S+;branch=z9hG4bK`))
    }
  })

  test.each(all)('%s brings a body through as the bytes it was', async (transport) => {
    await using rig = await StackRig.start([transport, 'udp'])
    rig.answer = 'hold'
    using peer = await Peer.to(rig.at(transport))
    const body = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    peer.send(requestBytes({ body }))
    const transaction = await rig.requests.take()
    expect(transaction.request.body.equals(body)).toBe(true)
    transaction.respond(responseTo(transaction.request, 200, { body }))
    expect((await peer.messages.take()).body.equals(body)).toBe(true)
  })
})

describe('WebSocket (RFC 7118)', () => {
  const open = (rig: StackRig) => new WebSocket(`ws://127.0.0.1:${rig.at('ws').port}`, 'sip')

  test('a message that is UTF-8 leaves in a text frame, another one in a binary frame', async () => {
    await using rig = await StackRig.start(['ws'])
    rig.answer = 'hold'
    const socket = open(rig)
    await once(socket, 'open')
    for (const [body, binary] of [
      ['Zürich 🏔', false],
      [Buffer.from([0xb4, 0xfa]), true],
    ] as const) {
      socket.send(requestBytes())
      const { request, respond } = await rig.requests.take().then((transaction) => ({
        request: transaction.request,
        respond: transaction.respond.bind(transaction),
      }))
      respond(responseTo(request, 200, { body: Buffer.from(body) }))
      const [bytes, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
      expect(isBinary).toBe(binary)
      expect(readOne(bytes)?.body.equals(Buffer.from(body))).toBe(true)
    }
    socket.terminate()
  })

  test('one that does not offer the subprotocol sip is turned away, and so is plain HTTP', async () => {
    await using rig = await StackRig.start(['ws'])
    const url = `127.0.0.1:${rig.at('ws').port}`
    for (const protocols of [[], ['chat']]) {
      const socket = new WebSocket(`ws://${url}`, protocols)
      const [err] = (await once(socket, 'error')) as [Error]
      expect(err.message).toContain('400')
    }
    expect((await fetch(`http://${url}/`)).status).toBe(426)
    await eventually(() => expect(rig.stack.held.connections).toBe(0))
  })
})

describe('Via (RFC 3261 §18.2.1, RFC 3581)', () => {
  test('rport and received are filled, whatever the sender put there', async () => {
    await using rig = await StackRig.start(['udp'])
    using peer = await Peer.to(rig.at('udp'))
    peer.send(requestBytes({ sentBy: 'phone.invalid:5099', viaParams: ';rport;received=8.8.8.8;x=y' }))
    const { headers } = (await rig.requests.take()).request
    expect(headers.get('via')).toMatch(
      /^SIP\/2\.0\/UDP phone\.invalid:5099;branch=[^;]+;rport=\d+;received=127\.0\.0\.1;x=y$/,
    )
    expect((await peer.messages.take()).header('via')).toContain(`;rport=${peer.wire.localPort};`)
  })

  test('received is added to a name, and nothing where the address is right and rport is not asked for', async () => {
    await using rig = await StackRig.start(['udp'])
    using peer = await Peer.to(rig.at('udp'))
    const { localPort } = peer.wire
    peer.send(requestBytes({ sentBy: `phone.invalid:${localPort}`, viaParams: '' }))
    expect((await peer.messages.take()).header('via')).toMatch(/;received=127\.0\.0\.1$/)
    peer.send(requestBytes({ sentBy: `127.0.0.1:${localPort}`, viaParams: '' }))
    expect((await peer.messages.take()).header('via')).toMatch(/;branch=z9hG4bK-test-\d+$/)
  })

  test('without rport the response goes to the port in Via', async () => {
    await using rig = await StackRig.start(['udp'])
    using sender = await Peer.to(rig.at('udp'))
    using listener = await Peer.to(rig.at('udp'))
    sender.send(requestBytes({ sentBy: `127.0.0.1:${listener.wire.localPort}`, viaParams: '' }))
    expect((await listener.messages.take()).status).toBe(200)
    expect(sender.messages.size).toBe(0)
  })

  test('a list of Via values in one line is answered as such', async () => {
    await using rig = await StackRig.start(['tcp'])
    using peer = await Peer.to(rig.at('tcp'))
    const second = 'SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bKlower'
    peer.send(requestBytes({ viaParams: `;rport, ${second}` }))
    const via = (await peer.messages.take()).header('via')
    expect(via).toMatch(/;rport=\d+;received=127\.0\.0\.1, SIP\/2\.0\/UDP 10\.9\.9\.9:5060;branch=z9hG4bKlower$/)
  })
})

describe('keep-alives (RFC 5626 §4.4)', () => {
  test.each(streams)('a double CRLF over %s is answered with a single one', async (transport) => {
    await using rig = await StackRig.start([transport])
    using peer = await Peer.to(rig.at(transport))
    peer.send('\r\n\r\n')
    expect(await peer.pongs.take()).toBe('pong')
    peer.send(requestBytes())
    expect((await peer.messages.take()).status).toBe(200)
  })

  test('a STUN binding request on the SIP port is answered with the address it came from', async () => {
    for (const address of ['127.0.0.1', '::1']) {
      await using rig = await StackRig.start([], { listen: [{ transport: 'udp', address, port: 0 }] })
      using peer = await Peer.to(rig.at('udp'))
      const transactionId = Buffer.from('0123456789ab')
      peer.send(writeBindingRequest(transactionId))
      const answer = readBindingResponse(await peer.others.take())
      expect(answer?.transactionId).toEqual(transactionId)
      expect(answer?.mapped.port).toBe(peer.wire.localPort)
    }
  })

  test('empty datagrams, lone line breaks, and STUN that is none are passed over', async () => {
    await using rig = await StackRig.start(['udp'])
    using peer = await Peer.to(rig.at('udp'))
    for (const bytes of ['', '\0', '\r\n', '\r\n\r\n', '\0\u0001\0\0garbage of twenty bytes and more']) peer.send(bytes)
    peer.send(requestBytes())
    expect((await peer.messages.take()).status).toBe(200)
    expect([peer.messages.size, peer.others.size]).toEqual([0, 0])
  })
})

describe('flows (RFC 5626)', () => {
  test.each(all)('two clients behind one address are told apart over %s', async (transport) => {
    await using rig = await StackRig.start([transport])
    const [one, two] = [await Peer.to(rig.at(transport)), await Peer.to(rig.at(transport))]
    const flows: string[] = []
    for (const peer of [one, two]) {
      peer.send(requestBytes())
      flows.push((await rig.requests.take()).source.flow)
      await peer.messages.take()
    }
    for (const [peer, flow] of [
      [two, flows[1]],
      [one, flows[0]],
    ] as const) {
      const sent = rig.send(requestTo('sip:bob@10.255.255.255'), { flow: flow as string, flowOnly: true })
      const request = await peer.messages.take()
      expect(request.method).toBe('MESSAGE')
      peer.reply(request, 200)
      expect((await sent).response.status).toBe(200)
    }
    expect([one.messages.size, two.messages.size]).toEqual([0, 0])
    one.wire.close()
    two.wire.close()
  })

  test('a UDP flow outlives a restart; a request goes the same way again', async () => {
    const first = await StackRig.start(['udp'])
    const place = first.at('udp')
    using peer = await Peer.to(place)
    peer.send(requestBytes())
    const { flow } = (await first.requests.take()).source
    await peer.messages.take()
    await first.stack.close(AbortSignal.abort())
    await using again = await StackRig.start([], { listen: [place] })
    const sent = again.send(requestTo('sip:bob@10.255.255.255'), { flow, flowOnly: true })
    peer.reply(await peer.messages.take(), 200)
    expect((await sent).local).toBe(false)
  })

  test.each(streams)(
    'a flow over %s that is gone is told, and a request over it alone is a local 430',
    async (transport) => {
      await using rig = await StackRig.start([transport])
      const peer = await Peer.to(rig.at(transport))
      peer.send(requestBytes())
      const { flow } = (await rig.requests.take()).source
      expect(rig.stack.hasFlow(flow)).toBe(true)
      peer.wire.close()
      expect(await rig.closedFlows.take()).toBe(flow)
      expect(rig.stack.hasFlow(flow)).toBe(false)
      const { response, local } = await rig.send(requestTo('sip:bob@127.0.0.1:9'), { flow, flowOnly: true })
      expect([response.status, local]).toEqual([430, true])
    },
  )

  test('a flow that closes while a request waits for its answer is a local 430', async () => {
    await using rig = await StackRig.start(['tcp'])
    const peer = await Peer.to(rig.at('tcp'))
    peer.send(requestBytes())
    const { flow } = (await rig.requests.take()).source
    await peer.messages.take()
    const sent = rig.send(requestTo('sip:bob@127.0.0.1:9'), { flow, flowOnly: true })
    await peer.messages.take()
    peer.wire.close()
    expect((await sent).response.status).toBe(430)
  })

  test('a name that is no flow of ours is a local 430', async () => {
    await using rig = await StackRig.start(['udp', 'tcp'])
    for (const flow of ['', 'udp/', 'udp/x', 'udp/127.0.0.1:1/127.0.0.1:5060', `tcp/1-abc`, 'udp/1/2/3:4']) {
      expect((await rig.send(requestTo('sip:bob@x'), { flow, flowOnly: true })).response.status).toBe(430)
    }
  })
})

describe('connections', () => {
  test('requests to one place share one connection, and their responses come over it', async () => {
    await using server = await StackRig.start(['tcp'])
    await using client = await StackRig.start([])
    const uri = `sip:127.0.0.1:${server.at('tcp').port};transport=tcp`
    const finals = await Promise.all([1, 2, 3].map(() => client.send(requestTo(uri), {})))
    expect(finals.map(({ response }) => response.status)).toEqual([200, 200, 200])
    expect(server.stack.held.connections).toBe(1)
  })

  test('a connection that nobody accepts is a local 503', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    server.close()
    await once(server, 'close')
    await using rig = await StackRig.start([])
    for (const transport of ['tcp', 'tls', 'ws', 'wss']) {
      const { response, local } = await rig.send(requestTo(`sip:127.0.0.1:${port};transport=${transport}`), {})
      expect([response.status, local]).toEqual([503, true])
    }
    expect(rig.stack.held).toMatchObject({ clients: 0, timers: 0, connections: 0 })
  })

  test('the response to a request whose connection is gone goes to the port in its Via (RFC 3261 §18.2.2)', async () => {
    await using rig = await StackRig.start(['tcp'])
    rig.answer = 'hold'
    const responses = new Mailbox<number>()
    const server = createServer((socket) => {
      const stream = new SipTextStream(() => {})
      socket.on('data', (bytes) => {
        for (const message of stream.read(bytes)) responses.put(message.status)
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const peer = await Peer.to(rig.at('tcp'))
    peer.send(requestBytes({ transport: 'TCP', sentBy: `127.0.0.1:${port}` }))
    const transaction = await rig.requests.take()
    peer.wire.close()
    await rig.closedFlows.take()
    transaction.respond(responseTo(transaction.request, 202))
    expect(await responses.take()).toBe(202)
    await rig.stack.close(AbortSignal.abort())
    server.close()
  })

  test('messages that come in one piece, or byte by byte, are answered in order', async () => {
    await using rig = await StackRig.start(['tcp'])
    const socket = createConnection(rig.at('tcp').port, '127.0.0.1')
    const [one, two] = [requestBytes({ callId: 'one' }), requestBytes({ callId: 'two' })]
    socket.setNoDelay(true)
    socket.write(Buffer.concat([one, two]))
    for (const byte of requestBytes({ callId: 'three' })) socket.write(Buffer.from([byte]))
    const stream = new SipTextStream(() => {})
    const answered: (string | undefined)[] = []
    for await (const bytes of socket) {
      for (const message of stream.read(bytes)) answered.push(message.header('call-id'))
      if (answered.length === 3) break
    }
    expect(answered).toEqual(['one', 'two', 'three'])
  })
})

describe('listening', () => {
  test.each(all)('an address that is taken is named: %s', async (transport) => {
    await using rig = await StackRig.start([transport])
    const taken = rig.at(transport)
    const start = StackRig.start([], { listen: [{ transport: 'udp', address: '127.0.0.1', port: 0 }, taken] })
    const err = await start.then(
      () => undefined,
      (reason) => reason,
    )
    expect(err).toBeInstanceOf(Unlistenable)
    expect(err.message).toBe(`${transport}:127.0.0.1:${taken.port} is taken by another program`)
    expect(err.listen).toEqual(taken)
  })

  test('an address that is not of this machine is named', async () => {
    const listen = [{ transport: 'udp', address: '203.0.113.77', port: 0 } as const]
    await expect(StackRig.start([], { listen })).rejects.toThrow('udp:203.0.113.77:0 is not an address of this machine')
  })

  test.each(['tls', 'wss'] as const)('%s without a certificate is refused', async (transport) => {
    const message = `${transport}:127.0.0.1:0 cannot be listened on: no certificate`
    await expect(StackRig.start([transport], { tls: undefined })).rejects.toThrow(message)
  })

  test('after close nothing is open and nothing is held', async () => {
    const before = process.getActiveResourcesInfo().filter((name) => /TCP|UDP|Timeout/.test(name)).length
    const rig = await StackRig.start(all)
    const peers = await Promise.all(all.map((transport) => Peer.to(rig.at(transport))))
    for (const peer of peers) peer.send(requestBytes())
    for (const peer of peers) await peer.messages.take()
    rig.stack.send(requestTo('sip:127.0.0.1:9'), {}, () => {})
    await rig.stack.close(AbortSignal.abort())
    expect(rig.stack.held).toEqual({ clients: 0, servers: 0, dialogs: 0, timers: 0, connections: 0 })
    for (const peer of peers) peer.wire.close()
    await eventually(() => {
      const after = process.getActiveResourcesInfo().filter((name) => /TCP|UDP|Timeout/.test(name)).length
      expect(after).toBeLessThanOrEqual(before)
    })
  })
})
