import { describe, expect, test } from 'vitest'
import { responseTo } from '../../src/protocols/sip/respond.ts'
import { eventually } from '../support/eventually.ts'
import { Peer, requestBytes, requestTo, StackRig } from './stack-rig.ts'

/** Answers all that came before with a request of its own, so that what is not there by then does not come. */
async function settled(peer: Peer): Promise<void> {
  peer.send(requestBytes({ method: 'OPTIONS', callId: 'settle' }))
  for (;;) if ((await peer.messages.take()).header('call-id') === 'settle') return
}

describe('a request', () => {
  test('that comes again is not handed on again, and is answered with the same bytes', async () => {
    await using rig = await StackRig.start(['udp'])
    using peer = await Peer.to(rig.at('udp'))
    const bytes = requestBytes()
    peer.send(bytes)
    const first = await peer.messages.take()
    peer.send(bytes)
    expect((await peer.messages.take()).toBytes().equals(first.toBytes())).toBe(true)
    await rig.requests.take()
    expect(rig.requests.size).toBe(0)
  })

  test('that comes again before its answer is absorbed', async () => {
    await using rig = await StackRig.start(['udp'])
    rig.answer = 'hold'
    using peer = await Peer.to(rig.at('udp'))
    const bytes = requestBytes()
    for (let n = 0; n < 3; n++) peer.send(bytes)
    const { request, respond } = await rig.requests.take().then((transaction) => ({
      request: transaction.request,
      respond: transaction.respond.bind(transaction),
    }))
    respond(responseTo(request, 202))
    expect((await peer.messages.take()).status).toBe(202)
    rig.answer = 200
    await settled(peer)
    expect(peer.messages.size).toBe(0)
  })

  test('is another one with another method, sent-by, or branch, and of RFC 2543 with another Via or CSeq', async () => {
    await using rig = await StackRig.start(['udp'])
    using peer = await Peer.to(rig.at('udp'))
    const common = { branch: 'z9hG4bKsame', callId: 'same' }
    const old = { branch: '1', callId: 'old' }
    const different = [
      requestBytes(common),
      requestBytes({ ...common, method: 'OPTIONS' }),
      requestBytes({ ...common, sentBy: '127.0.0.1:10' }),
      requestBytes({ ...common, branch: 'z9hG4bKother' }),
      requestBytes(old),
      requestBytes({ ...old, cseq: 2 }),
      requestBytes({ ...old, sentBy: '127.0.0.1:10' }),
    ]
    for (const bytes of different) peer.send(bytes)
    for (const bytes of different) peer.send(bytes)
    for (const _ of [...different, ...different]) await peer.messages.take()
    expect(rig.requests.size).toBe(different.length)
  })

  test('gets a To tag in its answer, its own where it has one, and one answer only', async () => {
    await using rig = await StackRig.start(['tcp'])
    rig.answer = 'hold'
    using peer = await Peer.to(rig.at('tcp'))
    peer.send(requestBytes())
    const first = await rig.requests.take()
    first.respond(responseTo(first.request, 200))
    first.respond(responseTo(first.request, 500))
    expect((await peer.messages.take()).header('to')).toMatch(/^<sip:bob@parley\.test>;tag=\S+$/)
    peer.send(requestBytes())
    const second = await rig.requests.take()
    second.respond(responseTo(second.request, 200, { toTag: 'given' }))
    expect((await peer.messages.take()).header('to')).toBe('<sip:bob@parley.test>;tag=given')
    expect(peer.messages.size).toBe(0)
  })

  test('that came by two ways, or in a circle, is answered 482 while the first is under way', async () => {
    await using rig = await StackRig.start(['udp'])
    rig.answer = 'hold'
    using peer = await Peer.to(rig.at('udp'))
    const moreVia = 'SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bKorigin'
    const common = { callId: 'merged', moreVia }
    peer.send(requestBytes(common))
    const first = await rig.requests.take()
    peer.send(requestBytes(common))
    expect((await peer.messages.take()).status).toBe(482)
    peer.send(requestBytes({ ...common, uri: 'sip:bob@elsewhere.test' }))
    const spiral = await rig.requests.take()
    for (const transaction of [first, spiral]) transaction.respond(responseTo(transaction.request, 200))
    peer.send(requestBytes(common))
    const later = await rig.requests.take()
    expect(later.request.headers.get('call-id')).toBe('merged')
  })
})

describe('an INVITE', () => {
  test('is told 100 after 200 ms; a failure is retransmitted until its ACK, which ends here', async () => {
    await using rig = await StackRig.start(['udp'])
    rig.answer = 'hold'
    using peer = await Peer.to(rig.at('udp'))
    const invite = { method: 'INVITE', branch: 'z9hG4bKcall', callId: 'call' }
    peer.send(requestBytes(invite))
    expect((await peer.messages.take()).status).toBe(100)
    const transaction = await rig.requests.take()
    transaction.respond(responseTo(transaction.request, 405))
    expect((await peer.messages.take()).status).toBe(405)
    expect((await peer.messages.take()).status).toBe(405)
    peer.send(requestBytes({ ...invite, method: 'ACK' }))
    await eventually(() => expect(rig.stack.held.timers).toBe(1))
    expect(rig.requests.size).toBe(0)
    expect(rig.retransmitted).toBe(1)
  })

  test('that is cancelled is answered 487, and the CANCEL 200', async () => {
    await using rig = await StackRig.start(['tcp'])
    rig.answer = 'hold'
    using peer = await Peer.to(rig.at('tcp'))
    const invite = { method: 'INVITE', branch: 'z9hG4bKcall', callId: 'call' }
    peer.send(requestBytes(invite))
    const transaction = await rig.requests.take()
    peer.send(requestBytes({ ...invite, method: 'CANCEL' }))
    const answers = [await peer.messages.take(), await peer.messages.take()]
    expect(answers.map(({ status, headers }) => [status, headers.find(([name]) => name === 'CSeq')?.[1]])).toEqual([
      [200, '1 CANCEL'],
      [487, '1 INVITE'],
    ])
    transaction.respond(responseTo(transaction.request, 200))
    peer.send(requestBytes({ ...invite, method: 'ACK' }))
    await settledStream(rig, peer)
    expect(peer.messages.size).toBe(0)
  })

  test('a CANCEL for nothing is answered 481, an ACK for nothing with silence', async () => {
    await using rig = await StackRig.start(['udp'])
    using peer = await Peer.to(rig.at('udp'))
    peer.send(requestBytes({ method: 'ACK' }))
    peer.send(requestBytes({ method: 'CANCEL' }))
    expect((await peer.messages.take()).status).toBe(481)
    expect(rig.dropped).toEqual(['stray-ack'])
    expect(rig.requests.size).toBe(0)
  })

  async function settledStream(rig: StackRig, peer: Peer): Promise<void> {
    rig.answer = 200
    await settled(peer)
  }
})

describe('what is not SIP as it should be', () => {
  test.each([
    ['a CSeq of another method', (text: string) => text.replace('CSeq: 1 MESSAGE', 'CSeq: 1 OPTIONS'), 400],
    ['no Call-ID', (text: string) => text.replace(/Call-ID: .*\r\n/, ''), 400],
    ['another version', (text: string) => text.replace('SIP/2.0\r\n', 'SIP/7.0\r\n'), 505],
    ['a header line without a colon', (text: string) => text.replace('Max-Forwards: 70', 'Max-Forwards 70'), 400],
  ])('%s is answered %3$s, and nothing is kept of it', async (_name, spoil, status) => {
    for (const transport of ['udp', 'tcp'] as const) {
      await using rig = await StackRig.start([transport])
      using peer = await Peer.to(rig.at(transport))
      peer.send(spoil(requestBytes().toString('latin1')))
      expect((await peer.messages.take()).status).toBe(status)
      expect(rig.stack.held).toMatchObject({ servers: 0 })
      expect(rig.requests.size).toBe(0)
      await settled(peer)
    }
  })

  test('noise, responses to nothing, and an ACK that is malformed meet with silence', async () => {
    await using rig = await StackRig.start(['udp'])
    using peer = await Peer.to(rig.at('udp'))
    peer.send('GET / HTTP/1.1\r\n\r\n')
    peer.send(Buffer.alloc(500, 0xff))
    peer.send('SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKnone\r\nCSeq: 1 MESSAGE\r\n\r\n')
    peer.send(
      requestBytes({ method: 'ACK' })
        .toString('latin1')
        .replace(/Call-ID: .*\r\n/, ''),
    )
    await settled(peer)
    expect(peer.messages.size).toBe(0)
    expect(rig.dropped.filter((reason) => reason === 'stray-response')).toHaveLength(1)
  })

  test('a stream whose framing is lost is answered and closed', async () => {
    await using rig = await StackRig.start(['tcp'])
    using peer = await Peer.to(rig.at('tcp'))
    peer.send(
      requestBytes()
        .toString('latin1')
        .replace(/Content-Length: .*\r\n/, ''),
    )
    expect((await peer.messages.take()).status).toBe(400)
    await peer.closed
    await eventually(() => expect(rig.stack.held.connections).toBe(0))
  })

  test('a fault of the user of the stack is logged, and does not stop the next request', async () => {
    const errors: string[] = []
    const log = { warn: () => {}, error: (_fields: object, note: string) => void errors.push(note) }
    let faulty = true
    await using rig = await StackRig.start(['udp'], {
      log,
      onRequest: (transaction) => {
        if (faulty) throw new Error('a bug')
        transaction.respond(responseTo(transaction.request, 200))
      },
    })
    using peer = await Peer.to(rig.at('udp'))
    peer.send(requestBytes())
    await eventually(() => expect(errors).toEqual(['message not handled']))
    faulty = false
    await settled(peer)
  })
})

describe('closing', () => {
  test('waits for what is under way, and stops waiting when it is told to', async () => {
    const rig = await StackRig.start(['udp'])
    using peer = await Peer.to(rig.at('udp'))
    const [address, port] = ['127.0.0.1', peer.wire.localPort]
    const sent = rig.send(requestTo(`sip:${address}:${port}`), {})
    const request = await peer.messages.take()
    const closing = rig.stack.close(new AbortController().signal)
    peer.reply(request, 200)
    expect((await sent).response.status).toBe(200)
    await closing
    const hurried = await StackRig.start(['udp'])
    const unanswered = hurried.send(requestTo(`sip:${address}:${port}`), {})
    const controller = new AbortController()
    const closed = hurried.stack.close(controller.signal)
    controller.abort()
    await closed
    expect((await unanswered).local).toBe(true)
    expect(hurried.stack.held).toMatchObject({ clients: 0, timers: 0 })
  })
})
