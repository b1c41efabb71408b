import { expect, test } from 'vitest'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'
import { eventually } from '../../support/eventually.ts'
import { StackRig } from '../stack-rig.ts'
import { End, inviteTo, ok, Placed, sdp } from './call-rig.ts'
import { tagOf, WireParty, withDescription } from './wire-party.ts'

async function startRig(): Promise<StackRig> {
  const rig = await StackRig.start(['udp'])
  rig.answer = 'hold'
  return rig
}

/** A stack that has called a wire party, answered there as branch `one`. */
async function called() {
  const rig = await startRig()
  const bob = await WireParty.to(rig)
  const placed = new Placed(rig, inviteTo(bob.uri))
  const invite = await bob.takeRequest('INVITE')
  return { rig, bob, placed, invite }
}

/** A stack that a wire party calls. */
async function calling(extra = withDescription) {
  const rig = await startRig()
  const bob = await WireParty.to(rig)
  const branch = bob.request('INVITE', extra)
  const invited = rig.stack.invited(await rig.requests.take())
  return { rig, bob, invited, branch }
}

const expectNothingHeld = (rig: StackRig) =>
  eventually(() => {
    rig.skip(40_000)
    expect(rig.stack.held).toMatchObject({ clients: 0, servers: 0, dialogs: 0, timers: 0 })
  })

test('a 2xx that comes again is acknowledged again, and told of once', async () => {
  const { rig, bob, placed, invite } = await called()
  await using _rig = rig
  using _bob = bob
  bob.answer(invite, 200, 'one', withDescription)
  const first = await bob.takeRequest('ACK')
  bob.answer(invite, 200, 'one', withDescription)
  const second = await bob.takeRequest('ACK')
  expect(second).toEqual(first)
  expect(first.uri).toBe(bob.uri)
  expect(first.header('cseq')).toBe('1 ACK')
  expect(first.header('to')).toContain('tag=one')
  expect(placed.answered.size).toBe(1)
})

test('a fork that two accept: one stays, the other is acknowledged and ended', async () => {
  const { rig, bob, placed, invite } = await called()
  await using _rig = rig
  using _bob = bob
  for (const tag of ['one', 'two', 'three']) bob.answer(invite, 180, tag)
  const early = [await placed.provisional.take(), await placed.provisional.take(), await placed.provisional.take()]
  expect(early.map(({ dialog }) => dialog?.remoteTag)).toEqual(['one', 'two', 'three'])
  expect(rig.stack.held.dialogs).toBe(3)
  bob.answer(invite, 200, 'two', withDescription)
  const { end } = await placed.answered.take()
  expect(end.dialog.remoteTag).toBe('two')
  expect(early.map(({ dialog }) => dialog?.state)).toEqual(['terminated', 'confirmed', 'terminated'])
  expect((await bob.takeRequest('ACK')).header('to')).toContain('tag=two')
  for (const late of ['one', 'four']) {
    bob.answer(invite, 200, late, withDescription)
    const [ack, bye] = [await bob.takeRequest('ACK'), await bob.takeRequest('BYE')]
    expect([tagOf(ack.header('to')), tagOf(bye.header('to'))]).toEqual([late, late])
    bob.answer(bye, 200, late)
    bob.answer(invite, 200, late, withDescription)
    expect(tagOf((await bob.takeRequest('ACK')).header('to'))).toBe(late)
  }
  await eventually(() => expect(rig.stack.held.dialogs).toBe(1))
  expect(end.dialog.state).toBe('confirmed')
  expect(placed.answered.size).toBe(0)
})

test('a CANCEL waits for the first provisional response', async () => {
  const { rig, bob, placed, invite } = await called()
  await using _rig = rig
  using _bob = bob
  placed.call.cancel({ protocol: 'SIP', cause: 487 })
  expect((await bob.take()).method).toBe('INVITE') // a retransmission, and no CANCEL
  bob.answer(invite, 100, '')
  const cancel = await bob.takeRequest('CANCEL')
  expect(cancel.header('reason')).toBe('SIP;cause=487')
  expect(cancel.all('via')).toEqual(invite.all('via'))
  bob.answer(cancel, 200, 'one')
  bob.answer(invite, 487, 'one')
  await bob.takeRequest('ACK')
  expect((await placed.failed.take()).response.status).toBe(487)
  await expectNothingHeld(rig)
})

test('a 2xx that crosses the CANCEL is acknowledged and ended, and the call has failed', async () => {
  const { rig, bob, placed, invite } = await called()
  await using _rig = rig
  using _bob = bob
  bob.answer(invite, 180, 'one')
  await placed.provisional.take()
  placed.call.cancel()
  const cancel = await bob.takeRequest('CANCEL')
  bob.answer(invite, 200, 'one', withDescription)
  bob.answer(cancel, 200, 'one')
  await bob.takeRequest('ACK')
  bob.answer(await bob.takeRequest('BYE'), 200, 'one')
  const { response, local } = await placed.failed.take()
  expect([response.status, local]).toEqual([487, true])
  expect(placed.answered.size).toBe(0)
  await expectNothingHeld(rig)
})

test('a 2xx without ACK is sent again, and the dialog ended with BYE in the end', async () => {
  const { rig, bob, invited } = await calling()
  await using _rig = rig
  using _bob = bob
  const end = new End(invited.accept(ok(2)))
  const accepted = await bob.takeResponse('INVITE')
  expect(await bob.takeResponse('INVITE')).toEqual(accepted)
  await eventually(() => {
    rig.skip(8000)
    expect(end.ended.size).toBe(1)
  })
  expect(await end.ended.take()).toEqual({ by: 'unacknowledged' })
  bob.answer(await bob.takeRequest('BYE'), 200, 'wire')
  await expectNothingHeld(rig)
})

test('a BYE said before the ACK has come waits for it', async () => {
  const { rig, bob, invited } = await calling()
  await using _rig = rig
  using _bob = bob
  const dialog = invited.accept(ok(2))
  const accepted = await bob.takeResponse('INVITE')
  const done = dialog.bye()
  expect((await bob.take()).status).toBe(200) // once more, and no BYE
  bob.request('ACK', { cseq: 1, toTag: tagOf(accepted.header('to')) })
  bob.answer(await bob.takeRequest('BYE'), 200, 'wire')
  await done
  await expectNothingHeld(rig)
})

test('a BYE that crosses ours is answered 200, other requests then 481', async () => {
  const { rig, bob, invited } = await calling()
  await using _rig = rig
  using _bob = bob
  const dialog = invited.accept(ok(2))
  const toTag = tagOf((await bob.takeResponse('INVITE')).header('to'))
  bob.request('ACK', { cseq: 1, toTag })
  await eventually(() => expect(dialog.canOffer).toBe(true))
  const done = dialog.bye()
  const bye = await bob.takeRequest('BYE')
  bob.request('INFO', { toTag })
  expect((await bob.takeResponse('INFO')).status).toBe(481)
  bob.request('BYE', { toTag })
  expect((await bob.takeResponse('BYE')).status).toBe(200)
  bob.answer(bye, 481, 'wire')
  await done
  await expectNothingHeld(rig)
})

test('requests out of order are answered 500, of unknown option tags 420', async () => {
  const { rig, bob, invited } = await calling()
  await using _rig = rig
  using _bob = bob
  const end = new End(invited.accept(ok(2)))
  const toTag = tagOf((await bob.takeResponse('INVITE')).header('to'))
  bob.request('ACK', { cseq: 1, toTag })
  bob.request('INFO', { cseq: 7, toTag })
  expect((await bob.takeResponse('INFO')).status).toBe(200)
  for (const cseq of [7, 3]) {
    bob.request('INFO', { cseq, toTag })
    expect((await bob.takeResponse('INFO')).status).toBe(500)
  }
  bob.request('INFO', { cseq: 8, toTag, headers: ['Require: precondition, timer'] })
  const refusal = await bob.takeResponse('INFO')
  expect([refusal.status, refusal.header('unsupported')]).toEqual([420, 'precondition'])
  expect(end.requests.size).toBe(1)
})

test('a request for a dialog that is not there goes on to the user, for a 481', async () => {
  const rig = await startRig()
  await using _rig = rig
  using bob = await WireParty.to(rig)
  bob.request('BYE', { toTag: 'nobody' })
  expect((await rig.requests.take()).request.method).toBe('BYE')
  bob.request('ACK', { toTag: 'nobody' })
  await eventually(() => expect(rig.dropped).toEqual(['stray-ack']))
})

test('a BYE in the early dialog ends it, and the INVITE is answered 487', async () => {
  const { rig, bob, invited } = await calling()
  await using _rig = rig
  using _bob = bob
  const cancelled = new Promise((resolve) => invited.onCancelled(resolve))
  void invited.ring({ status: 180 })
  const toTag = tagOf((await bob.takeResponse('INVITE')).header('to'))
  bob.request('BYE', { toTag, headers: ['Reason: SIP;cause=600'] })
  const answers = [await bob.takeFinal(), await bob.takeFinal()]
  expect(answers.map(({ status, headers }) => [status, headers.find(([name]) => name === 'CSeq')?.[1]])).toEqual([
    [200, '2 BYE'],
    [487, '1 INVITE'],
  ])
  expect(await cancelled).toEqual({ protocol: 'SIP', cause: 600 })
  bob.request('ACK', { cseq: 1, toTag })
  expect(rig.stack.held.dialogs).toBe(0)
})

test('the 487 to a CANCEL has the tag of the early dialog', async () => {
  const { rig, bob, invited, branch } = await calling()
  await using _rig = rig
  using _bob = bob
  void invited.ring({ status: 180 })
  const ringing = await bob.takeResponse('INVITE')
  bob.request('CANCEL', { cseq: 1, branch })
  expect((await bob.takeResponse('CANCEL')).status).toBe(200)
  const final = await bob.takeResponse('INVITE')
  expect([final.status, final.header('to')]).toEqual([487, ringing.header('to')])
  expect(invited.accept(ok(2)).state).toBe('terminated')
  expect(rig.stack.held.dialogs).toBe(0)
})

test('requests follow the Record-Route and the Contact of the peer, and its target refresh', async () => {
  const { rig, bob, placed, invite } = await called()
  await using _rig = rig
  using _bob = bob
  using elsewhere = await WireParty.to(rig)
  const routes = [`Record-Route: <${bob.uri};lr;n=2>, <${bob.uri};lr;n=1>`]
  bob.answer(invite, 200, 'one', { ...withDescription, headers: ['Content-Type: application/sdp', ...routes] })
  const { end } = await placed.answered.take()
  const route = [`<${bob.uri};lr;n=1>`, `<${bob.uri};lr;n=2>`]
  expect((await bob.takeRequest('ACK')).all('route')).toEqual(route)
  const refreshed = end.dialog.update({})
  const update = await bob.takeRequest('UPDATE')
  expect([update.uri, update.all('route')]).toEqual([bob.uri, route])
  bob.answer(update, 200, 'one', { headers: [] })
  await refreshed
  const info = end.dialog.request('INFO')
  const first = await bob.takeRequest('INFO')
  bob.answer(first, 200, 'one')
  await info
  expect(elsewhere.peer.messages.size).toBe(0)
})

test('the peer that moves is followed', async () => {
  const { rig, bob, invited } = await calling()
  await using _rig = rig
  using _bob = bob
  using elsewhere = await WireParty.to(rig)
  const end = new End(invited.accept(ok(2)))
  const toTag = tagOf((await bob.takeResponse('INVITE')).header('to'))
  bob.request('ACK', { cseq: 1, toTag })
  Object.assign(elsewhere, { callId: bob.callId })
  elsewhere.request('UPDATE', { cseq: 2, toTag })
  expect((await elsewhere.takeResponse('UPDATE')).status).toBe(200)
  void end.dialog.request('INFO')
  expect((await elsewhere.takeRequest('INFO')).uri).toBe(elsewhere.uri)
})

test('a strict router gets the request-URI', async () => {
  const { rig, bob, placed, invite } = await called()
  await using _rig = rig
  using _bob = bob
  const strict = `Record-Route: <sip:strict@127.0.0.1:${bob.peer.wire.localPort}>`
  bob.answer(invite, 200, 'one', { headers: [strict] })
  await placed.answered.take()
  const ack = await bob.takeRequest('ACK')
  expect([ack.uri, ack.all('route')]).toEqual([`sip:strict@127.0.0.1:${bob.peer.wire.localPort}`, [`<${bob.uri}>`]])
})

test.each([481, 408])(
  'a peer that answers %s to a request within has lost the dialog: it ends with BYE',
  async (status) => {
    const { rig, bob, placed, invite } = await called()
    await using _rig = rig
    using _bob = bob
    bob.answer(invite, 200, 'one', withDescription)
    const { end } = await placed.answered.take()
    const info = end.dialog.request('INFO')
    bob.answer(await bob.takeRequest('INFO'), status, 'one')
    expect((await info).response.status).toBe(status)
    expect((await end.ended.take()).by).toBe('lost')
    bob.answer(await bob.takeRequest('BYE'), 200, 'one')
    await expectNothingHeld(rig)
  },
)

test('a request that fails otherwise leaves the dialog as it was', async () => {
  const { rig, bob, placed, invite } = await called()
  await using _rig = rig
  using _bob = bob
  bob.answer(invite, 200, 'one', withDescription)
  const { end } = await placed.answered.take()
  const info = end.dialog.request('INFO')
  bob.answer(await bob.takeRequest('INFO'), 415, 'one')
  expect((await info).response.status).toBe(415)
  expect(end.dialog.state).toBe('confirmed')
})

test('an INVITE whose Contact leads nowhere is malformed', async () => {
  const rig = await startRig()
  await using _rig = rig
  using bob = await WireParty.to(rig)
  bob.request('INVITE', { headers: ['Contact: *'] })
  const transaction = await rig.requests.take()
  expect(() => rig.stack.invited(transaction)).toThrow(MalformedSip)
  expect(rig.stack.held.dialogs).toBe(0)
})

test('what a handler throws is answered, and the dialog goes on', async () => {
  const { rig, bob, invited } = await calling()
  await using _rig = rig
  using _bob = bob
  const end = new End(invited.accept(ok(2)))
  const toTag = tagOf((await bob.takeResponse('INVITE')).header('to'))
  bob.request('ACK', { cseq: 1, toTag })
  end.reply = () => Promise.reject(new Error('a bug'))
  bob.request('INFO', { toTag })
  expect((await bob.takeResponse('INFO')).status).toBe(500)
  expect(end.dialog.state).toBe('confirmed')
})

test('a multipart INVITE holds an offer, which the 2xx answers', async () => {
  const body =
    '--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b--\r\n'
  const { rig, bob, invited } = await calling({ headers: ['Content-Type: multipart/mixed;boundary=b'], body })
  await using _rig = rig
  using _bob = bob
  expect(invited.dialog.canOffer).toBe(false)
  expect(invited.accept({ status: 200, ...sdp(2) }).canOffer).toBe(true)
})

test('an INVITE that expires is answered 487', async () => {
  const { rig, bob, invited } = await calling({ headers: ['Expires: 30'] })
  await using _rig = rig
  using _bob = bob
  const cancelled = new Promise((resolve) => invited.onCancelled(resolve))
  void invited.ring({ status: 180 })
  await bob.takeResponse('INVITE')
  rig.skip(30_000)
  expect((await bob.takeResponse('INVITE')).status).toBe(487)
  await cancelled
  expect(rig.stack.held.dialogs).toBe(0)
})

test('to sips: the Contact is a sips: URI', async () => {
  const { rig, bob, invited } = await calling({ headers: [] })
  await using _rig = rig
  using _bob = bob
  bob.request('INVITE', { uri: 'sips:alice@parley.test', headers: [] })
  const secure = rig.stack.invited(await rig.requests.take())
  secure.accept({ status: 200, headers: [['Contact', '<sip:alice@any>;+sip.isfocus']] })
  invited.refuse({ status: 486 })
  const contact = `<sips:alice@127.0.0.1:${rig.at('udp').port}>;+sip.isfocus`
  for (;;) {
    const response = await bob.takeResponse('INVITE')
    if (response.status === 200) return expect(response.header('contact')).toBe(contact)
  }
})

test('a 2xx of a peer that knows no tags opens a dialog all the same', async () => {
  const { rig, bob, placed, invite } = await called()
  await using _rig = rig
  using _bob = bob
  bob.answer(invite, 200, '', withDescription)
  const { end } = await placed.answered.take()
  expect(end.dialog.remoteTag).toBe('')
  expect((await bob.takeRequest('ACK')).header('to')).toBe('<sip:bob@parley.test>')
})

test('a user that fails when the call is answered ends it, and others go on', async () => {
  const rig = await startRig()
  await using _rig = rig
  using bob = await WireParty.to(rig)
  rig.stack.invite(
    inviteTo(bob.uri),
    {},
    {
      onProvisional: () => expect.fail('a bug'),
      onAnswered: () => expect.fail('another bug'),
      onFailed: () => {},
    },
  )
  const invite = await bob.takeRequest('INVITE')
  bob.answer(invite, 180, '')
  bob.answer(invite, 200, 'one', withDescription)
  await bob.takeRequest('ACK')
  bob.answer(await bob.takeRequest('BYE'), 200, 'one')
  await expectNothingHeld(rig)
})

test('answers that make no sense are nothing to a call', async () => {
  const { rig, bob, placed, invite } = await called()
  await using _rig = rig
  using _bob = bob
  for (let n = 0; n < 80; n++) bob.answer(invite, 180, `tag-${n}`) // more branches than are heard
  bob.answer(invite, 183, 'one', { headers: ['Contact: <', 'Record-Route: nonsense', 'Session-Expires: never'] })
  bob.answer(invite, 200, 'tag-3', {
    ...withDescription,
    headers: ['Content-Type: application/sdp', 'Record-Route: <'],
  })
  const { end } = await placed.answered.take()
  expect(end.dialog.remoteTag).toBe('tag-3')
  await bob.takeRequest('ACK')
  expect(rig.stack.held.dialogs).toBe(1)
})

test('a BYE that comes while ours waits for the ACK takes its place', async () => {
  const { rig, bob, invited } = await calling()
  await using _rig = rig
  using _bob = bob
  const dialog = invited.accept(ok(2))
  const toTag = tagOf((await bob.takeResponse('INVITE')).header('to'))
  const done = dialog.bye()
  bob.request('BYE', { toTag })
  expect((await bob.takeResponse('BYE')).status).toBe(200)
  await done
  await expectNothingHeld(rig)
})

test('a branch that the user has ended is ended again when it answers, and the call has failed', async () => {
  const { rig, bob, placed, invite } = await called()
  await using _rig = rig
  using _bob = bob
  bob.answer(invite, 180, 'one')
  const { dialog } = await placed.provisional.take()
  void dialog?.bye()
  bob.answer(await bob.takeRequest('BYE'), 481, 'one')
  bob.answer(invite, 200, 'one', withDescription)
  await bob.takeRequest('ACK')
  bob.answer(await bob.takeRequest('BYE'), 200, 'one')
  expect((await placed.failed.take()).response.status).toBe(487)
  expect(placed.answered.size).toBe(0)
  await expectNothingHeld(rig)
})
