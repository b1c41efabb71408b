import { expect, test } from 'vitest'
import { Failure } from '../../../src/failure.ts'
import { Headers } from '../../../src/protocols/sip/headers.ts'
import { SipRequest } from '../../../src/protocols/sip/message.ts'
import type { SipEdge } from '../../../src/signalling/edge/sip-edge.ts'
import type { Dialog, Invitation, InvitationReply, SipReply } from '../../../src/signalling/edge/sip-port.ts'
import { type Sender, type SessionHandler, SignalManager } from '../../../src/signalling/manager/signal-manager.ts'
import { startEdge as startTestEdge } from '../../support/test-edge.ts'
import { Mailbox, StackRig } from '../stack-rig.ts'
import { End, inviteTo, ok, Placed, sdp } from './call-rig.ts'
import { tagOf, WireParty, withDescription } from './wire-party.ts'

const alice: Sender = { aor: 'sip:alice@parley.test', trusted: false, anonymous: false }

/** An edge with a signal manager behind it, as the server has them; `session` answers INVITEs. */
async function startEdge(session?: SessionHandler, senderOf: () => Sender | SipReply = () => alice) {
  const statuses: number[] = []
  const unserved = () => ({ status: 501 })
  const manager = new SignalManager({
    isDispositionNotification: () => false,
    isRevocation: () => false,
    isStoreEvent: () => false,
    senderOf,
    addressOf: (uri) => /^sip:[a-z]+@/.exec(uri)?.[0].concat('parley.test'),
    domain: 'parley.test',
    handlers: {
      registration: unserved,
      capabilities: unserved,
      notification: unserved,
      revocation: unserved,
      storeEvent: unserved,
      messageToMany: unserved,
      pagerMessage: unserved,
      subscription: unserved,
      publication: unserved,
      refer: unserved,
      ...(session && { session }),
    },
  })
  const { edge, listening, ...rest } = await startTestEdge(
    (made) => {
      made.serve((request) => manager.handle(request))
      if (session !== undefined) made.serveInvites((invitation) => manager.handleInvitation(invitation))
    },
    { observe: (_method, status) => statuses.push(status) },
  )
  const place = { transport: 'udp', address: '127.0.0.1', port: listening.port } as const
  const uri = (user: string) => `sip:${user}@127.0.0.1:${place.port}`
  return { edge, uri, place, statuses, ...rest }
}

async function startCaller() {
  const rig = await StackRig.start(['udp'])
  rig.answer = 'hold'
  return rig
}

test('an invitation comes to the session service with sender and recipient, and is answered there', async () => {
  const met = new Mailbox<{ sender: Sender; recipient: string; dialog: Dialog }>()
  await using edge = await startEdge((invitation, sender, recipient) => {
    met.put({ sender, recipient, dialog: invitation.accept({ status: 200, ...sdp(2) }) })
    return undefined
  })
  await using caller = await startCaller()
  const placed = new Placed(caller, inviteTo(edge.uri('bob')))
  const { end } = await placed.answered.take()
  const { dialog, ...who } = await met.take()
  expect(who).toEqual({ sender: alice, recipient: 'sip:bob@parley.test' })
  const ended = new Promise((resolve) => {
    dialog.serve({ onRequest: () => ({ status: 200 }), onOffer: () => ({ status: 488 }), onEnded: resolve })
  })
  await end.dialog.bye()
  expect(await ended).toMatchObject({ by: 'remote' })
  expect(edge.statuses).toEqual([200])
})

test.each<[string, SessionHandler, number]>([
  ['what it returns', () => ({ status: 486 }), 486],
  ['what it returns later', async () => ({ status: 480 }), 480],
  ['a failure that it throws', () => Promise.reject(new Failure('recipient-unknown')), 404],
  [
    'a bug',
    () => {
      throw new Error('a bug')
    },
    500,
  ],
])('the session service refuses by %s', async (_what, session, status) => {
  await using edge = await startEdge(session)
  await using caller = await startCaller()
  const placed = new Placed(caller, inviteTo(edge.uri('bob')))
  expect((await placed.failed.take()).response.status).toBe(status)
  expect(edge.statuses).toEqual([status])
})

test('a sender who is not known is challenged before the session service hears of it', async () => {
  const challenge = { status: 407, headers: [['Proxy-Authenticate', 'Digest realm="parley.test"']] } as const
  const unreached = () => expect.fail('reached')
  await using edge = await startEdge(unreached, () => challenge)
  await using caller = await startCaller()
  const placed = new Placed(caller, inviteTo(edge.uri('bob')))
  const { response } = await placed.failed.take()
  expect([response.status, response.headers.get('proxy-authenticate')]).toEqual([407, 'Digest realm="parley.test"'])
})

test('without a session service INVITE is not allowed, and with one only what it understands is required', async () => {
  await using edge = await startEdge()
  await using caller = await startCaller()
  const { response } = await new Placed(caller, inviteTo(edge.uri('bob'))).failed.take()
  expect([response.status, response.headers.get('allow')]).toEqual([
    405,
    'REGISTER, MESSAGE, OPTIONS, SUBSCRIBE, PUBLISH',
  ])
  await using serving = await startEdge(() => ({ status: 486 }))
  for (const [tag, status] of [
    ['100rel, timer', 486],
    ['precondition', 420],
  ] as const) {
    const placed = new Placed(caller, inviteTo(serving.uri('bob'), { headers: [['Require', tag]] }))
    expect((await placed.failed.take()).response.status).toBe(status)
  }
})

test('requests for no dialog are answered 481, those for one reach it past the manager', async () => {
  const invitations = new Mailbox<Invitation>()
  await using edge = await startEdge((invitation) => {
    invitations.put(invitation)
    return undefined
  })
  using bob = await WireParty.at(edge.place)
  bob.request('INVITE', { toTag: 'gone' })
  expect((await bob.takeResponse('INVITE')).status).toBe(481)
  bob.request('INVITE', withDescription)
  ;(await invitations.take()).accept({ status: 200, ...sdp(2) })
  const toTag = tagOf((await bob.takeResponse('INVITE')).header('to'))
  bob.request('INFO', { toTag })
  expect((await bob.takeResponse('INFO')).status).toBe(405) // nobody serves the dialog
  bob.request('INFO', { toTag: 'other' })
  expect((await bob.takeResponse('INFO')).status).toBe(481)
})

test('an invitation that replaces a dialog shows which', async () => {
  const invitations = new Mailbox<Invitation>()
  await using edge = await startEdge((invitation) => {
    invitations.put(invitation)
    return undefined
  })
  await using caller = await startCaller()
  new Placed(caller, inviteTo(edge.uri('bob')))
  const first = await invitations.take()
  expect([first.replaces, first.sessionReplaces]).toEqual([undefined, undefined])
  const { callId, localTag, remoteTag } = first.accept({ status: 200, ...sdp(2) })
  const replacing = (toTag: string) => `${callId};to-tag=${toTag};from-tag=${remoteTag};early-only`
  for (const [toTag, dialog] of [
    [localTag, first.dialog],
    ['none', undefined],
  ] as const) {
    new Placed(
      caller,
      inviteTo(edge.uri('bob'), {
        headers: [
          ['Replaces', replacing(toTag)],
          ['Session-Replaces', 'contribution-1'],
        ],
      }),
    )
    const invitation = await invitations.take()
    expect([invitation.replaces?.earlyOnly, invitation.sessionReplaces]).toEqual([true, 'contribution-1'])
    expect(invitation.replaces?.dialog).toBe(dialog)
    invitation.refuse({ status: 481 })
  }
  const placed = new Placed(caller, inviteTo(edge.uri('bob'), { headers: [['Replaces', 'half;to-tag=1']] }))
  expect((await placed.failed.take()).response.status).toBe(400)
})

test('an edge that drains refuses new invitations', async () => {
  await using edge = await startEdge(() => undefined)
  await using caller = await startCaller()
  await edge.edge.drain(AbortSignal.abort())
  const { response } = await new Placed(caller, inviteTo(edge.uri('bob'))).failed.take()
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
})

/** A back-to-back user agent in its smallest form: one invitation, one call, and what comes to either goes to the other. */
function relayTo(port: () => SipEdge, target: string): SessionHandler {
  const content = ({ headers, body }: SipRequest | { headers: Headers; body: Buffer }) => {
    const type = headers.get('content-type')
    return { body, ...(type !== undefined && { headers: [['Content-Type', type]] as const }) }
  }
  const join = (one: Dialog, other: Dialog) =>
    one.serve({
      onRequest: async (request) => {
        const { response } = await other.request(request.method, content(request))
        return { status: response.status, ...content(response) }
      },
      onOffer: async (request, cancelled) => {
        const { response } = await other.reinvite(content(request), { glare: 'report', cancelled })
        return { status: response.status, ...content(response) }
      },
      onEnded: ({ reason }) => void other.bye(reason),
    })
  return (invitation): InvitationReply => {
    const { message, dialog: left } = invitation
    const headers = new Headers([
      ['Max-Forwards', '69'],
      ['From', '<sip:alice@parley.test>;tag=relay'],
      ['To', '<sip:bob@parley.test>'],
      ['Call-ID', `other-leg-of-${left.callId}`],
      ['CSeq', '1 INVITE'],
      ['Contact', '<sip:ignored>;+sip.isfocus'],
      ...(content(message).headers ?? []),
    ])
    const call = port().invite(
      new SipRequest('INVITE', target, headers, message.body),
      {},
      {
        onProvisional: async (response) => {
          const prack = await invitation.ring({ status: response.status, ...content(response) })
          return prack && content(prack)
        },
        onAnswered: (right, response) => {
          join(right, left)
          join(left, right)
          invitation.accept({ status: response.status, ...content(response) })
          return undefined
        },
        onFailed: ({ status }) => invitation.refuse({ status }),
      },
    )
    invitation.onCancelled((reason) => call.cancel(reason))
    return undefined
  }
}

test('a back-to-back user agent is written with the port alone', async () => {
  await using callee = await startCaller()
  const target = `sip:bob@127.0.0.1:${callee.at('udp').port}`
  await using edge = await startEdge((...args) => relayTo(() => edge.edge, target)(...args))
  await using caller = await startCaller()
  const placed = new Placed(caller, inviteTo(edge.uri('bob')))
  const invite = callee.stack.invited(await callee.requests.take())
  expect(invite.message.headers.get('contact')).toMatch(/^<sip:127\.0\.0\.1:\d+>;\+sip\.isfocus$/)
  const right = new End(invite.dialog)
  await invite.ring({ status: 183, ...sdp(2) })
  expect((await placed.provisional.take()).response.body).toEqual(sdp(2).body)
  invite.accept({ status: 200 })
  const { end: left } = await placed.answered.take()
  right.reply = () => ({ status: 202 })
  expect((await left.dialog.request('MESSAGE', { body: Buffer.from('hi') })).response.status).toBe(202)
  expect((await right.requests.take()).body.toString()).toBe('hi')
  left.answer = () => ok(7)
  expect((await right.dialog.reinvite(sdp(6))).response.body).toEqual(ok(7).body)
  expect((await left.offers.take()).request.body).toEqual(sdp(6).body)
  await right.dialog.bye({ protocol: 'SIP', cause: 200 })
  expect(await left.ended.take()).toMatchObject({ by: 'remote', reason: { cause: 200 } })
})

test('a caller that gives up cancels the other leg', async () => {
  await using callee = await startCaller()
  const target = `sip:bob@127.0.0.1:${callee.at('udp').port}`
  await using edge = await startEdge((...args) => relayTo(() => edge.edge, target)(...args))
  await using caller = await startCaller()
  const placed = new Placed(caller, inviteTo(edge.uri('bob')))
  const invite = callee.stack.invited(await callee.requests.take())
  void invite.ring({ status: 180 })
  await placed.provisional.take()
  const cancelled = new Promise((resolve) => invite.onCancelled(resolve))
  placed.call.cancel({ protocol: 'SIP', cause: 487 })
  expect(await cancelled).toEqual({ protocol: 'SIP', cause: 487 })
  expect((await placed.failed.take()).response.status).toBe(487)
})
