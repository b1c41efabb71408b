import pino from 'pino'
import { expect, test } from 'vitest'
import { Headers } from '../../src/protocols/sip/headers.ts'
import { SipRequest } from '../../src/protocols/sip/message.ts'
import { DaemonUnavailable } from '../../src/signalling/edge/drachtio/daemon-unavailable.ts'
import { DrachtioEdge } from '../../src/signalling/edge/drachtio/drachtio-edge.ts'
import type {
  Answer,
  Dialog,
  Ending,
  InboundRequest,
  Invitation,
  SipReply,
} from '../../src/signalling/edge/sip-port.ts'
import { sdp } from '../sip/dialog/call-rig.ts'
import { tagOf, WireParty, withDescription } from '../sip/dialog/wire-party.ts'
import { Mailbox } from '../sip/stack-rig.ts'
import { DrachtioDaemon } from '../support/drachtio-daemon.ts'
import { eventually } from '../support/eventually.ts'
import { Phone, type Answer as PhoneAnswer } from '../support/phone.ts'
import type { SipText } from '../support/sip-text.ts'
import { daemonOptions } from '../support/test-edge.ts'
import type { Place, WireTransport } from '../support/wire.ts'

/** An edge over a daemon of its own, whose requests and invitations the test takes. */
class EdgeRig {
  readonly requests = new Mailbox<InboundRequest>()
  readonly invitations = new Mailbox<Invitation>()
  readonly edge: DrachtioEdge
  readonly daemon: DrachtioDaemon
  reply: (request: InboundRequest) => SipReply | Promise<SipReply> = () => ({ status: 200 })
  readonly #phones: Phone[] = []

  private constructor(daemon: DrachtioDaemon, patience: number) {
    const now = () => performance.now()
    this.daemon = daemon
    this.edge = new DrachtioEdge({
      log: pino({ level: 'silent' }),
      now,
      maxUnderWay: 0,
      observe() {},
      stack: { ...daemonOptions(daemon), patience },
    })
    this.edge.serve((request) => {
      this.requests.put(request)
      return this.reply(request)
    })
    this.edge.serveInvites((invitation) => {
      this.invitations.put(invitation)
      return undefined
    })
  }

  static async start(patience = 34_000): Promise<EdgeRig> {
    const rig = new EdgeRig(await DrachtioDaemon.start(), patience)
    await rig.edge.start()
    return rig
  }

  place(transport: WireTransport = 'udp'): Place {
    const port = Number(new RegExp(`${transport}/127\\.0\\.0\\.1:(\\d+)`).exec(this.daemon.hostPorts)?.[1])
    return { transport, address: '127.0.0.1', port }
  }

  async phone(user: string, transport: WireTransport = 'udp', answer?: PhoneAnswer): Promise<Phone> {
    const phone = await Phone.open({ user, domain: 'parley.test', place: this.place(transport) })
    if (answer !== undefined) phone.answer = answer
    this.#phones.push(phone)
    return phone
  }

  party(): Promise<WireParty> {
    return WireParty.at(this.place())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const phone of this.#phones) phone.close()
    await this.edge.close(AbortSignal.abort())
    await this.daemon.close()
  }
}

let count = 0

function request(
  method: string,
  uri: string,
  body: Buffer | string = '',
  headers: readonly (readonly [string, string])[] = [],
) {
  const n = ++count
  const lines = [
    ['Max-Forwards', '69'],
    ['From', `"Ålice" <sip:alice@parley.test>;tag=own-${n}`],
    ['To', '<sip:bob@parley.test>'],
    ['Call-ID', `edge-${n}`],
    ['CSeq', `${n} ${method}`],
    ...headers,
  ] as const
  const bytes = Buffer.from(body)
  const typed =
    bytes.length === 0 || headers.some(([name]) => name === 'Content-Type')
      ? []
      : [['Content-Type', 'text/plain'] as const]
  const latin1 = [...lines, ...typed].map(([name, value]) => [name, Buffer.from(value).toString('latin1')] as const)
  return new SipRequest(method, uri, new Headers(latin1), bytes)
}

class TestCall {
  readonly provisional = new Mailbox<SipText | number>()
  readonly answered = new Mailbox<End>()
  readonly failed = new Mailbox<{ status: number; local: boolean }>()
  answer: Answer = undefined
  readonly #call: { cancel(): void }

  constructor(rig: EdgeRig, uri: string) {
    this.#call = rig.edge.invite(
      request('INVITE', uri, sdp(1).body, sdp(1).headers),
      {},
      {
        onProvisional: ({ status }) => {
          this.provisional.put(status)
          return this.answer
        },
        onAnswered: (dialog) => {
          this.answered.put(new End(dialog))
          return this.answer
        },
        onFailed: ({ status }, local) => this.failed.put({ status, local }),
      },
    )
  }

  cancel(): void {
    this.#call.cancel()
  }
}

class End {
  readonly ended = new Mailbox<Ending>()
  readonly acks = new Mailbox<SipRequest>()
  readonly dialog: Dialog
  constructor(dialog: Dialog) {
    this.dialog = dialog
    dialog.serve({
      onRequest: ({ method }) => ({ status: method === 'INFO' ? 200 : 405 }),
      onOffer: () => ({ status: 200, ...sdp(90) }),
      onAcknowledged: (ack) => this.acks.put(ack),
      onEnded: (ending) => this.ended.put(ending),
    })
  }
}

/** A call from the edge to a party that answers it. */
async function connected(rig: EdgeRig, party: WireParty) {
  const call = new TestCall(rig, party.uri)
  const invite = await party.takeRequest('INVITE')
  party.answer(invite, 200, 'far', withDescription)
  const end = await call.answered.take()
  await party.takeRequest('ACK')
  return { call, invite, end }
}

test('a request comes in with its bytes, its source and its flow, and the reply goes back', async () => {
  await using rig = await EdgeRig.start()
  rig.reply = () => ({
    status: 202,
    reason: 'Taken',
    toTag: 'mine',
    headers: [
      ['X-Note', 'kept'],
      ['Subject', 'tea'],
    ],
  })
  for (const transport of ['udp', 'tcp', 'tls', 'ws', 'wss'] as const) {
    const bob = await rig.phone('bob', transport)
    const answered = bob.message('sip:alice@parley.test', 'grüße 😀', { headers: { Subject: 'Grüße' } })
    const { message, source } = await rig.requests.take()
    expect(message.body.toString()).toBe('grüße 😀')
    expect(Buffer.from(message.headers.get('subject') ?? '', 'latin1').toString()).toBe(
      Buffer.from('Grüße', 'latin1').toString(),
    )
    expect([source.transport, source.address, source.trusted]).toEqual([transport, '127.0.0.1', false])
    const answer = await answered
    expect([answer.status, answer.reason, answer.header('X-Note')]).toEqual([202, 'Taken', 'kept'])
    expect(answer.header('To')).toMatch(/;tag=mine$/)
  }
})

test('a request goes out as it is, and reaches exactly the flow that is named', async () => {
  await using rig = await EdgeRig.start()
  // Two devices with the same user and host: the daemon by itself would take the second for the first.
  const [one, other] = [await rig.phone('bob', 'tcp'), await rig.phone('bob', 'tcp')]
  const flows: string[] = []
  for (const phone of [one, other]) {
    await phone.register({ authenticate: false })
    flows.push((await rig.requests.take()).source.flow)
  }
  const sent = request('MESSAGE', one.contact, 'für dich', [['X-Colour', 'blue']])
  const expected = ['from', 'to', 'call-id', 'cseq', 'x-colour'].map((name) => sent.headers.get(name))
  const { response, local } = await rig.edge.send(sent, { flow: flows[0] ?? '' }).final
  expect([response.status, local]).toEqual([200, false])
  const received = await one.receive('MESSAGE')
  expect(['from', 'to', 'call-id', 'cseq', 'x-colour'].map((name) => received.header(name))).toEqual(expected)
  expect([received.text, received.uri, received.header('Max-Forwards')]).toEqual(['für dich', one.contact, '69'])
  expect(other.received).toEqual([])
})

test.each([
  ['is not UTF-8', Buffer.from([0x67, 0xfc, 0x6e]), 415],
  ['holds NUL', Buffer.from('a\0b'), 415],
  ['is over 11 KB', Buffer.alloc(11_265, 'x'), 513],
])('a body that %s is refused in either direction, and says so', async (_what, body, status) => {
  await using rig = await EdgeRig.start()
  const bob = await rig.phone('bob', 'tcp')
  const refused = await bob.message('sip:alice@parley.test', body)
  expect([refused.status, refused.header('Warning')]).toEqual([status, expect.stringMatching(/^399 /)])
  const { response, local } = await rig.edge.send(request('MESSAGE', bob.contact, body), {}).final
  expect([response.status, local]).toEqual([status, true])
  rig.reply = () => ({ status: 200, body, headers: [['Content-Type', 'text/plain']] })
  expect((await bob.message('sip:alice@parley.test', 'short')).status).toBe(status)
  rig.reply = () => ({ status: 200 })
  expect((await bob.message('sip:alice@parley.test', 'the connection still carries')).status).toBe(200)
})

test('a body that says nothing of itself goes as plain text', async () => {
  await using rig = await EdgeRig.start()
  const bob = await rig.phone('bob')
  const sent = request('MESSAGE', bob.contact, 'hi')
  sent.headers.remove('content-type')
  expect((await rig.edge.send(sent, {}).final).response.status).toBe(200)
  expect((await bob.receive('MESSAGE')).header('Content-Type')).toBe('text/plain;charset=UTF-8')
})

test('a status that drachtio-srf does not know goes as what its class is', async () => {
  await using rig = await EdgeRig.start()
  rig.reply = () => ({ status: 499, reason: 'Odd' })
  const bob = await rig.phone('bob')
  const answer = await bob.message('sip:alice@parley.test', 'hello')
  expect([answer.status, answer.reason]).toEqual([400, 'Odd'])
})

test('what the daemon refuses is a local 503, and a URI that is none a local 400', async () => {
  await using rig = await EdgeRig.start()
  const own = await rig.edge.send(request('MESSAGE', rig.edge.ownUri('udp')), {}).final
  expect([own.response.status, own.local]).toEqual([503, true])
  const bad = await rig.edge.send(request('MESSAGE', 'sip:bob@x', ''), { uri: 'sip:a|b@c' }).final
  expect([bad.response.status, bad.local]).toEqual([400, true])
})

test('nobody is waited for for ever: a daemon that hangs is a local 408', async () => {
  await using rig = await EdgeRig.start(500)
  rig.daemon.isStalled = true
  const sending = rig.edge.send(request('MESSAGE', 'sip:bob@127.0.0.1:9'), {})
  const { response, local } = await sending.final
  expect([response.status, local]).toEqual([408, true])
})

test('a sending that is abandoned is a local 408 at once, and its response is absorbed', async () => {
  await using rig = await EdgeRig.start()
  let answerNow = (_status: number) => {}
  const bob = await rig.phone('bob', 'udp', () => new Promise<number>((resolve) => (answerNow = resolve)))
  const sending = rig.edge.send(request('MESSAGE', bob.contact), {})
  await bob.receive('MESSAGE')
  sending.abandon()
  expect(await sending.final).toMatchObject({ response: { status: 408 }, local: true })
  answerNow(200)
  expect((await bob.message('sip:alice@parley.test', 'still here')).status).toBe(200)
})

test('it starts only where a daemon lets it in', async () => {
  await using daemon = await DrachtioDaemon.start()
  const common = { log: pino({ level: 'silent' }), now: () => performance.now(), maxUnderWay: 0, observe() {} }
  const wrong = new DrachtioEdge({ ...common, stack: daemonOptions({ port: daemon.port, secret: 'wrong' }) })
  await expect(wrong.start()).rejects.toThrow(DaemonUnavailable)
  const nobody = new DrachtioEdge({
    ...common,
    stack: { ...daemonOptions({ port: 9, secret: 'x' }), connectWithin: 300 },
  })
  await expect(nobody.start()).rejects.toThrow('127.0.0.1:9: no connection')
  await eventually(() => expect(daemon.apps).toBe(0))
})

test('when the daemon is lost, what is under way gets 503, and service returns by itself', async () => {
  await using rig = await EdgeRig.start()
  const bob = await rig.phone('bob', 'udp', () => 'silence')
  const underWay = rig.edge.send(request('MESSAGE', bob.contact), {})
  await bob.receive('MESSAGE')
  rig.daemon.disconnectApps()
  expect(await underWay.final).toMatchObject({ response: { status: 503 }, local: true })
  const meanwhile = await rig.edge.send(request('MESSAGE', bob.contact), {}).final
  expect(meanwhile).toMatchObject({ response: { status: 503 }, local: true })
  bob.answer = () => 200
  await eventually(async () => {
    expect((await rig.edge.send(request('MESSAGE', bob.contact), {}).final).response.status).toBe(200)
  })
  expect((await bob.message('sip:alice@parley.test', 'back again')).status).toBe(200)
})

test('a caller is answered, talks in the dialog, and hangs up', async () => {
  await using rig = await EdgeRig.start()
  using bob = await rig.party()
  bob.request('INVITE', { ...withDescription, headers: [...(withDescription.headers ?? []), 'Supported: 100rel'] })
  const invitation = await rig.invitations.take()
  const pracked = invitation.ring({ status: 183, ...sdp(2) })
  const early = await bob.takeResponse('INVITE')
  const toTag = tagOf(early.header('to'))
  expect([early.status, early.header('require')]).toEqual([183, '100rel'])
  bob.request('PRACK', { toTag, headers: [`RAck: ${early.header('rseq')} 1 INVITE`] })
  expect((await bob.takeResponse('PRACK')).status).toBe(200)
  expect((await pracked)?.method).toBe('PRACK')
  const end = new End(invitation.accept({ status: 200 }))
  const accepted = await bob.takeResponse('INVITE')
  expect([accepted.status, tagOf(accepted.header('to'))]).toEqual([200, toTag])
  bob.request('ACK', { toTag, cseq: 1 })
  expect((await end.acks.take()).method).toBe('ACK')
  bob.request('INFO', { toTag, cseq: 3 })
  expect((await bob.takeResponse('INFO')).status).toBe(200)
  bob.request('INVITE', { ...withDescription, toTag, cseq: 4 })
  expect((await bob.takeResponse('INVITE')).body).toEqual(sdp(90).body)
  bob.request('ACK', { toTag, cseq: 4 })
  await end.acks.take()
  bob.request('BYE', { toTag, cseq: 5 })
  expect((await bob.takeResponse('BYE')).status).toBe(200)
  expect(await end.ended.take()).toMatchObject({ by: 'remote' })
  expect(rig.daemon.dialogs).toBe(0)
})

test('a caller who gives up is heard', async () => {
  await using rig = await EdgeRig.start()
  using bob = await rig.party()
  const branch = bob.request('INVITE', withDescription)
  const invitation = await rig.invitations.take()
  const cancelled = new Promise((resolve) => invitation.onCancelled(resolve))
  bob.request('CANCEL', { cseq: 1, branch, headers: ['Reason: SIP;cause=200'] })
  expect(await cancelled).toEqual({ protocol: 'SIP', cause: 200 })
  expect((await bob.takeResponse('INVITE')).status).toBe(487)
})

test('a call rings, is answered, and ended by either side', async () => {
  await using rig = await EdgeRig.start()
  using bob = await rig.party()
  const call = new TestCall(rig, bob.uri)
  const invite = await bob.takeRequest('INVITE')
  bob.answer(invite, 180, 'far')
  expect(await call.provisional.take()).toBe(180)
  bob.answer(invite, 200, 'far', withDescription)
  const end = await call.answered.take()
  const ack = await bob.takeRequest('ACK')
  expect([ack.uri, ack.header('cseq')]).toEqual([bob.uri, `${invite.header('cseq')?.split(' ')[0]} ACK`])
  const info = end.dialog.request('INFO')
  bob.answer(await bob.takeRequest('INFO'), 200, 'far')
  expect((await info).response.status).toBe(200)
  const bye = end.dialog.bye()
  bob.answer(await bob.takeRequest('BYE'), 200, 'far')
  await bye
  expect(await end.ended.take()).toMatchObject({ by: 'local' })
})

test('a reliable provisional response is acknowledged, with an answer to its offer', async () => {
  await using rig = await EdgeRig.start()
  using bob = await rig.party()
  const call = new TestCall(rig, bob.uri)
  const invite = await bob.takeRequest('INVITE')
  const reliable = ['Require: 100rel', 'RSeq: 77', ...(withDescription.headers ?? [])]
  bob.answer(invite, 183, 'far', { ...withDescription, headers: reliable })
  const prack = await bob.takeRequest('PRACK')
  expect(prack.header('rack')).toBe(`77 ${invite.header('cseq')}`)
  bob.answer(prack, 200, 'far')
  bob.answer(invite, 200, 'far')
  await call.answered.take()
  await bob.takeRequest('ACK')
})

test('a call that is given up is cancelled, and a refusal is told', async () => {
  await using rig = await EdgeRig.start()
  using bob = await rig.party()
  const call = new TestCall(rig, bob.uri)
  const invite = await bob.takeRequest('INVITE')
  bob.answer(invite, 180, 'far')
  await call.provisional.take()
  call.cancel()
  bob.answer(await bob.takeRequest('CANCEL'), 200, 'far')
  bob.answer(invite, 487, 'far')
  expect(await call.failed.take()).toEqual({ status: 487, local: false })
  const busy = new TestCall(rig, bob.uri)
  bob.answer(await bob.takeRequest('INVITE'), 486, 'far')
  expect(await busy.failed.take()).toEqual({ status: 486, local: false })
})

test('a re-INVITE that rings first never completes: it is given up, and the session ends', async () => {
  await using rig = await EdgeRig.start(500)
  using bob = await rig.party()
  const { end } = await connected(rig, bob)
  const offered = end.dialog.reinvite(sdp(2))
  const invite = await bob.takeRequest('INVITE')
  bob.answer(invite, 180, 'far')
  bob.answer(invite, 200, 'far', withDescription)
  expect(await offered).toMatchObject({ response: { status: 408 }, local: true })
  expect(await end.ended.take()).toMatchObject({ by: 'lost' })
  bob.answer(await bob.takeRequest('BYE'), 200, 'far')
})

test('the other branch of a fork is not heard of, and does no harm', async () => {
  await using rig = await EdgeRig.start()
  using bob = await rig.party()
  const { invite, end } = await connected(rig, bob)
  bob.answer(invite, 200, 'other', withDescription)
  const ack = await bob.takeRequest('ACK')
  expect(tagOf(ack.header('to'))).toBe('far') // that of the first branch: the daemon knows no other
  expect(end.dialog.state).toBe('confirmed')
})

test('sessions end when the daemon was lost, and the peer is told as soon as there is one again', async () => {
  await using rig = await EdgeRig.start()
  using bob = await rig.party()
  const { end } = await connected(rig, bob)
  rig.daemon.disconnectApps()
  expect(await end.ended.take()).toMatchObject({ by: 'lost' })
  bob.answer(await bob.takeRequest('BYE'), 200, 'far')
})

test('a daemon that was started anew says BYE all the same, and so it does for a dialog of an earlier life', async () => {
  await using rig = await EdgeRig.start()
  using bob = await rig.party()
  const first = await connected(rig, bob)
  const second = await connected(rig, bob)
  const stored = second.end.dialog.snapshot()
  rig.daemon.forgetAll()
  void first.end.dialog.bye()
  const bye = await bob.takeRequest('BYE')
  expect([bye.header('call-id'), tagOf(bye.header('to'))]).toEqual([first.end.dialog.callId, 'far'])
  bob.answer(bye, 200, 'far')
  const sending = rig.edge.byeStored(JSON.parse(JSON.stringify(stored)))
  const storedBye = await bob.takeRequest('BYE')
  expect([storedBye.header('call-id'), storedBye.header('from')]).toEqual([stored.callId, stored.local])
  bob.answer(storedBye, 200, 'far')
  expect((await sending.final).response.status).toBe(200)
})

test('an invitation that nobody can answer any more is taken back', async () => {
  await using rig = await EdgeRig.start()
  using bob = await rig.party()
  bob.request('INVITE', withDescription)
  const invitation = await rig.invitations.take()
  const cancelled = new Promise<void>((resolve) => invitation.onCancelled(() => resolve()))
  rig.daemon.disconnectApps()
  await cancelled
})
