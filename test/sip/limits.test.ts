import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { responseTo } from '../../src/protocols/sip/respond.ts'
import { renewed } from '../support/certificate.ts'
import { eventually } from '../support/eventually.ts'
import { Peer, requestBytes, requestTo, StackRig } from './stack-rig.ts'

const noLimits = {
  messageBytes: 0,
  headerCount: 0,
  headerBytes: 0,
  connections: 0,
  connectionsPerSource: 0,
  idleMs: 0,
  halfOpenMs: 0,
  connectMs: 0,
  requestsPerSecond: 0,
  queueBytes: 0,
}

const streams = ['tcp', 'tls', 'ws', 'wss'] as const

/** A bare TCP connection to where a transport listens, whatever is spoken there. */
async function knock(rig: StackRig, transport: (typeof streams)[number]): Promise<Socket> {
  const socket = createConnection(rig.at(transport).port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket.resume()
}

/** A peer that sends one request and never reads. */
async function deafPeer(rig: StackRig, transport: 'tcp' | 'ws'): Promise<{ destroy(): void }> {
  if (transport === 'tcp') {
    const socket = createConnection(rig.at('tcp').port, '127.0.0.1')
    socket
      .on('error', () => {})
      .pause()
      .write(requestBytes())
    return socket
  }
  const socket = new WebSocket(`ws://127.0.0.1:${rig.at('ws').port}`, 'sip')
  socket.on('error', () => {})
  await once(socket, 'open')
  socket.send(requestBytes())
  socket.pause()
  return { destroy: () => socket.terminate() }
}

const closed = (socket: Socket) => (socket.closed ? Promise.resolve() : once(socket, 'close'))

describe('the size of a message', () => {
  test.each(['udp', 'tcp', 'ws'] as const)(
    'over its limit is refused over %s, and the next message is served',
    async (transport) => {
      await using rig = await StackRig.start([transport], { limits: { messageBytes: 2000 } })
      using peer = await Peer.to(rig.at(transport))
      peer.send(requestBytes({ body: Buffer.alloc(3000, 'x') }))
      if (transport === 'ws') return await peer.closed
      expect((await peer.messages.take()).status).toBe(513)
      peer.send(requestBytes())
      expect((await peer.messages.take()).status).toBe(200)
    },
  )

  test('the number and the length of header fields are bounded', async () => {
    await using rig = await StackRig.start(['udp'], { limits: { headerCount: 20, headerBytes: 500 } })
    using peer = await Peer.to(rig.at('udp'))
    const many = Array.from({ length: 20 }, (_, n) => `X-${n}: y`).join('\r\n')
    for (const headers of [many, `X: ${'y'.repeat(600)}`]) {
      peer.send(requestBytes({ headers }))
      expect((await peer.messages.take()).status).toBe(400)
    }
    expect(rig.dropped).toEqual(['malformed', 'malformed'])
  })

  test('with every limit off, what is large passes', async () => {
    await using rig = await StackRig.start(['tcp'], { limits: noLimits })
    using peer = await Peer.to(rig.at('tcp'))
    const headers = Array.from({ length: 500 }, (_, n) => `X-${n}: ${'y'.repeat(1000)}`).join('\r\n')
    peer.send(requestBytes({ headers, body: Buffer.alloc(1_000_000, 'x') }))
    expect((await peer.messages.take()).status).toBe(200)
  })
})

describe('requests a second', () => {
  const limits = { requestsPerSecond: 3 }

  test('over the limit get one 503 with Retry-After, then silence, and are served again in the next second', async () => {
    await using rig = await StackRig.start(['udp'], { limits, now: undefined })
    using peer = await Peer.to(rig.at('udp'))
    for (let n = 0; n < 20; n++) peer.send(requestBytes())
    const statuses: number[] = []
    while (!statuses.includes(503)) {
      const response = await peer.messages.take()
      statuses.push(response.status)
      if (response.status === 503) expect(response.header('retry-after')).toBe('1')
    }
    await eventually(() => expect(rig.dropped.length).toBeGreaterThan(3))
    await eventually(async () => {
      const before = rig.requests.size
      peer.send(requestBytes())
      await eventually(() => expect(rig.requests.size).toBeGreaterThan(before), 300)
    })
  })

  test('are not counted for trusted peers', async () => {
    await using rig = await StackRig.start(['udp'], { limits, trusted: (address) => address === '127.0.0.1' })
    using peer = await Peer.to(rig.at('udp'))
    for (let n = 0; n < 50; n++) peer.send(requestBytes())
    for (let n = 0; n < 50; n++) expect((await peer.messages.take()).status).toBe(200)
    expect((await rig.requests.take()).source.trusted).toBe(true)
  })
})

describe('connections', () => {
  test.each(streams)('more than allowed, in all or from one source, are turned away over %s', async (transport) => {
    for (const limits of [{ connections: 2 }, { connectionsPerSource: 2 }]) {
      await using rig = await StackRig.start([transport], { limits })
      const [first, second] = [await Peer.to(rig.at(transport)), await Peer.to(rig.at(transport))]
      await closed(await knock(rig, transport))
      expect(rig.dropped).toEqual(['connection-refused'])
      first.send(requestBytes())
      expect((await first.messages.take()).status).toBe(200)
      first.wire.close()
      await rig.closedFlows.take()
      await eventually(() => expect(rig.stack.held.connections).toBe(1))
      using third = await Peer.to(rig.at(transport))
      third.send(requestBytes())
      expect((await third.messages.take()).status).toBe(200)
      second.wire.close()
    }
  })

  test('of trusted peers are not counted by source', async () => {
    await using rig = await StackRig.start(['tcp'], { limits: { connectionsPerSource: 1 }, trusted: () => true })
    const peers = [await Peer.to(rig.at('tcp')), await Peer.to(rig.at('tcp'))]
    for (const peer of peers) peer.send(requestBytes())
    for (const peer of peers) expect((await peer.messages.take()).status).toBe(200)
    for (const peer of peers) peer.wire.close()
  })

  test.each(streams)('a peer that connects over %s and says nothing is closed', async (transport) => {
    await using rig = await StackRig.start([transport], { limits: { halfOpenMs: 200 } })
    await closed(await knock(rig, transport))
    expect(rig.stack.held.connections).toBe(0)
  })

  test.each(['tcp', 'ws'] as const)(
    'one that completes the handshake over %s and no message is closed',
    async (transport) => {
      await using rig = await StackRig.start([transport], { limits: { halfOpenMs: 200 } })
      using peer = await Peer.to(rig.at(transport))
      if (transport === 'tcp') peer.send(requestBytes().subarray(0, 50))
      await peer.closed
    },
  )

  test('one that begins a message and does not end it is closed, though it was served before', async () => {
    await using rig = await StackRig.start(['tcp'], { limits: { halfOpenMs: 200 } })
    using peer = await Peer.to(rig.at('tcp'))
    peer.send(requestBytes())
    await peer.messages.take()
    peer.send('MESSAGE sip:bob')
    await peer.closed
  })

  test.each(streams)(
    'an idle one over %s is closed, and its flow is told; one that keeps itself alive stays',
    async (transport) => {
      await using rig = await StackRig.start([transport], { limits: { idleMs: 1500 } })
      using idle = await Peer.to(rig.at(transport))
      using alive = await Peer.to(rig.at(transport))
      idle.send(requestBytes())
      const { flow } = (await rig.requests.take()).source
      const pinging = setInterval(() => alive.send('\r\n\r\n'), 50)
      expect(await rig.closedFlows.take()).toBe(flow)
      await idle.closed
      clearInterval(pinging)
      expect(alive.wire.closed).toBe(false)
    },
  )
})

describe('a peer that does not read', () => {
  test.each(['tcp', 'ws'] as const)('is closed when what waits for it over %s passes the bound', async (transport) => {
    await using rig = await StackRig.start([transport], { limits: { queueBytes: 500_000 } })
    rig.answer = 'hold'
    const peer = await deafPeer(rig, transport)
    const transaction = await rig.requests.take()
    const { flow } = transaction.source
    const body = Buffer.alloc(200_000, 'x')
    let failed = false
    for (let n = 0; n < 200 && !failed; n++) {
      rig.stack.send(requestTo('sip:bob@x', { body }), { flow, flowOnly: true }, ({ status }) => {
        failed ||= status === 430
      })
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(failed).toBe(true)
    expect(await rig.closedFlows.take()).toBe(flow)
    expect(rig.dropped).toEqual(['not-reading'])
    transaction.respond(responseTo(transaction.request, 200))
    peer.destroy()
  })
})

describe('the certificate', () => {
  const shown = async (port: number): Promise<string> => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }

  test.each(['tls', 'wss'] as const)('is read anew for %s while connections stay', async (transport) => {
    await using rig = await StackRig.start([transport])
    using peer = await Peer.to(rig.at(transport))
    const before = await shown(rig.at(transport).port)
    rig.stack.renewTls({ cert: readFileSync(renewed.cert), key: readFileSync(renewed.key) })
    const after = await shown(rig.at(transport).port)
    expect(after).not.toBe(before)
    peer.send(requestBytes())
    expect((await peer.messages.take()).status).toBe(200)
  })
})
