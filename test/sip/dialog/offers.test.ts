import { expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { StackRig } from '../stack-rig.ts'
import { CallRig, End, inviteTo, ok, Placed, sdp } from './call-rig.ts'
import { tagOf, WireParty, withDescription } from './wire-party.ts'

test('a re-INVITE is answered, either way, and acknowledged', async () => {
  await using rig = await CallRig.start()
  const { caller, callee } = await rig.connect()
  for (const [one, other] of [
    [caller, callee],
    [callee, caller],
  ] as const) {
    const { response } = await one.dialog.reinvite(sdp(4))
    expect([response.status, response.body]).toEqual([200, ok(90).body])
    expect((await other.offers.take()).request.body).toEqual(sdp(4).body)
    expect((await other.acks.take()).method).toBe('ACK')
  }
})

test('a re-INVITE that is refused leaves the session as it was', async () => {
  await using rig = await CallRig.start()
  const { caller, callee } = await rig.connect()
  callee.answer = () => ({ status: 488, headers: [['Warning', '304 parley.test "Media type not available"']] })
  const { response } = await caller.dialog.reinvite(sdp(4))
  expect([response.status, response.headers.get('warning')]).toEqual([
    488,
    '304 parley.test "Media type not available"',
  ])
  expect([caller.dialog.state, caller.dialog.canOffer, callee.dialog.canOffer]).toEqual(['confirmed', true, true])
})

test('a re-INVITE without offer asks for one, and answers it in the ACK', async () => {
  await using rig = await CallRig.start()
  const { caller, callee } = await rig.connect()
  const { response } = await caller.dialog.reinvite({}, { answer: async () => sdp(5) })
  expect(response.body).toEqual(ok(90).body)
  expect((await callee.acks.take()).body).toEqual(sdp(5).body)
  expect([caller.dialog.canOffer, callee.dialog.canOffer]).toEqual([true, true])
})

test('offers of one end wait for each other', async () => {
  await using rig = await CallRig.start()
  const { caller, callee } = await rig.connect()
  const made = [caller.dialog.reinvite(sdp(4)), caller.dialog.update(sdp(5)), caller.dialog.reinvite(sdp(6))]
  expect((await Promise.all(made)).map(({ response }) => response.status)).toEqual([200, 200, 200])
  const seen = [await callee.offers.take(), await callee.offers.take(), await callee.offers.take()]
  expect(seen.map(({ request }) => request.body)).toEqual([sdp(4).body, sdp(5).body, sdp(6).body])
})

test('offers that cross are refused 491 on both sides, and made again after different times', async () => {
  await using rig = await CallRig.start()
  const { caller, callee } = await rig.connect()
  const finals = await Promise.all([caller.dialog.reinvite(sdp(4)), callee.dialog.reinvite(sdp(5))])
  expect(finals.map(({ response }) => response.status)).toEqual([200, 200])
  expect((await callee.offers.take()).request.body).toEqual(sdp(4).body)
  expect((await caller.offers.take()).request.body).toEqual(sdp(5).body)
})

test('a glare is reported to who asks for that', async () => {
  await using rig = await CallRig.start()
  const { caller, callee } = await rig.connect()
  let answer = (_reply: { status: number }) => {}
  callee.answer = () =>
    new Promise((resolve) => {
      answer = resolve
    })
  const first = caller.dialog.reinvite(sdp(4))
  await callee.offers.take()
  const second = await callee.dialog.reinvite(sdp(5), { glare: 'report' })
  expect([second.response.status, second.local]).toEqual([491, true])
  const third = await callee.dialog.update(sdp(5), { glare: 'report' })
  expect([third.response.status, third.local]).toEqual([491, true])
  answer({ status: 488 })
  expect((await first).response.status).toBe(488)
})

test('an offer waits for an ACK that is still on its way: that is no glare', async () => {
  await using rig = await StackRig.start(['udp'])
  rig.answer = 'hold'
  using bob = await WireParty.to(rig)
  bob.request('INVITE', withDescription)
  const end = new End(rig.stack.invited(await rig.requests.take()).accept(ok(2)))
  const toTag = tagOf((await bob.takeResponse('INVITE')).header('to'))
  void end.dialog.reinvite(sdp(5), { glare: 'report' })
  bob.request('ACK', { cseq: 1, toTag })
  expect((await bob.takeRequest('INVITE')).body).toEqual(sdp(5).body)
})

test('a re-INVITE that is taken back aborts what answers it', async () => {
  const { rig, bob, end, toTag } = await confirmed()
  await using _rig = rig
  using _bob = bob
  let late = (_reply: { status: number }) => {}
  end.answer = () =>
    new Promise((resolve) => {
      late = resolve
    })
  const branch = bob.request('INVITE', { ...withDescription, toTag })
  const { cancelled } = await end.offers.take()
  bob.request('CANCEL', { cseq: 2, toTag, branch })
  expect((await bob.takeResponse('CANCEL')).status).toBe(200)
  expect((await bob.takeResponse('INVITE')).status).toBe(487)
  bob.request('ACK', { cseq: 2, toTag, branch })
  expect(cancelled.aborted).toBe(true)
  late(ok(3))
  expect([end.dialog.state, end.dialog.canOffer]).toEqual(['confirmed', true])
})

/** A dialog that a wire party has opened. */
async function confirmed(headers: string[] = []) {
  const rig = await StackRig.start(['udp'])
  rig.answer = 'hold'
  const bob = await WireParty.to(rig)
  bob.request('INVITE', { ...withDescription, headers: ['Content-Type: application/sdp', ...headers] })
  const invited = rig.stack.invited(await rig.requests.take())
  const end = new End(invited.accept(ok(2)))
  const toTag = tagOf((await bob.takeResponse('INVITE')).header('to'))
  bob.request('ACK', { cseq: 1, toTag })
  await end.acks.take()
  return { rig, bob, end, toTag }
}

test('an offer while another waits: 500 with Retry-After for the peer’s own, 491 against ours', async () => {
  const { rig, bob, end, toTag } = await confirmed(['Allow: INVITE, UPDATE'])
  await using _rig = rig
  using _bob = bob
  let answer = (_reply: { status: number }) => {}
  end.answer = () =>
    new Promise((resolve) => {
      answer = resolve
    })
  bob.request('UPDATE', { ...withDescription, toTag })
  await end.offers.take()
  for (const method of ['UPDATE', 'INVITE']) {
    bob.request(method, { ...withDescription, toTag })
    const refusal = await bob.takeResponse(method)
    expect([method, refusal.status, Number(refusal.header('retry-after')) <= 10]).toEqual([method, 500, true])
  }
  bob.request('ACK', { cseq: 4, toTag })
  answer(ok(3))
  expect((await bob.takeResponse('UPDATE')).status).toBe(200)
  const own = end.dialog.update(sdp(6))
  const update = await bob.takeRequest('UPDATE')
  for (const method of ['UPDATE', 'INVITE']) {
    bob.request(method, { ...withDescription, toTag })
    expect([method, (await bob.takeResponse(method)).status]).toEqual([method, 491])
  }
  bob.request('UPDATE', { toTag })
  expect((await bob.takeResponse('UPDATE')).status).toBe(200) // no offer, no conflict
  bob.answer(update, 200, 'wire', withDescription)
  expect((await own).response.status).toBe(200)
})

test('a re-INVITE crosses ours: 491, and ours is made again after a 491 for it', async () => {
  const { rig, bob, end, toTag } = await confirmed()
  await using _rig = rig
  using _bob = bob
  const own = end.dialog.reinvite(sdp(6))
  const first = await bob.takeRequest('INVITE')
  bob.request('INVITE', { ...withDescription, toTag })
  expect((await bob.takeResponse('INVITE')).status).toBe(491)
  bob.answer(first, 491, 'wire')
  await bob.takeRequest('ACK')
  rig.skip(2000)
  const again = await bob.takeRequest('INVITE')
  expect(Number.parseInt(again.header('cseq') ?? '', 10)).toBe(Number.parseInt(first.header('cseq') ?? '', 10) + 1)
  bob.answer(again, 200, 'wire', withDescription)
  expect((await own).response.status).toBe(200)
})

test('a 2xx to a re-INVITE without ACK ends the dialog', async () => {
  const { rig, bob, end, toTag } = await confirmed()
  await using _rig = rig
  using _bob = bob
  bob.request('INVITE', { ...withDescription, toTag })
  await bob.takeResponse('INVITE')
  await eventually(() => {
    rig.skip(8000)
    expect(end.ended.size).toBe(1)
  })
  expect((await end.ended.take()).by).toBe('unacknowledged')
  await bob.takeRequest('BYE')
})

test('what is under way when the dialog ends comes to an end, too', async () => {
  const { rig, bob, end, toTag } = await confirmed()
  await using _rig = rig
  using _bob = bob
  const [first, second] = [end.dialog.reinvite(sdp(6)), end.dialog.reinvite(sdp(7))]
  await bob.takeRequest('INVITE')
  bob.request('BYE', { toTag })
  const finals = [await first, await second]
  expect(finals.map(({ response, local }) => [response.status, local])).toEqual([
    [408, true],
    [481, true],
  ])
  expect((await end.dialog.request('INFO')).response.status).toBe(481)
  expect((await end.dialog.reinvite(sdp(8))).response.status).toBe(481)
  expect(rig.stack.held.dialogs).toBe(0)
})

test('a dialog that ends while the peer’s re-INVITE waits answers it 487', async () => {
  const { rig, bob, end, toTag } = await confirmed()
  await using _rig = rig
  using _bob = bob
  end.answer = () => new Promise(() => {})
  bob.request('INVITE', { ...withDescription, toTag })
  const { cancelled } = await end.offers.take()
  void end.dialog.bye()
  expect((await bob.takeResponse('INVITE')).status).toBe(487)
  await bob.takeRequest('BYE')
  expect(cancelled.aborted).toBe(true)
})

test('before anybody serves the dialog, requests are refused', async () => {
  await using rig = await CallRig.start()
  const { placed, invite } = await rig.ring()
  invite.accept(ok(2))
  const { end } = await placed.answered.take()
  expect((await end.dialog.request('INFO')).response.status).toBe(405)
  expect((await end.dialog.update(sdp(3))).response.status).toBe(488)
})

test('a second 2xx of a re-INVITE is acknowledged again', async () => {
  const rig = await StackRig.start(['udp'])
  await using _rig = rig
  using bob = await WireParty.to(rig)
  const placed = new Placed(rig, inviteTo(bob.uri))
  bob.answer(await bob.takeRequest('INVITE'), 200, 'one', withDescription)
  const { end } = await placed.answered.take()
  await bob.takeRequest('ACK')
  const own = end.dialog.reinvite(sdp(3))
  const again = await bob.takeRequest('INVITE')
  bob.answer(again, 200, 'one', withDescription)
  await own
  const ack = await bob.takeRequest('ACK')
  bob.answer(again, 200, 'one', withDescription)
  expect(await bob.takeRequest('ACK')).toEqual(ack)
  expect(ack.header('cseq')).toBe('2 ACK')
})

test('a re-INVITE of ours that is taken back is cancelled on the way, and one that waits is not sent', async () => {
  await using rig = await CallRig.start()
  const { caller, callee } = await rig.connect()
  callee.answer = () => new Promise(() => {})
  const [first, second] = [new AbortController(), new AbortController()]
  const finals = [
    caller.dialog.reinvite(sdp(4), { cancelled: first.signal }),
    caller.dialog.reinvite(sdp(5), { cancelled: second.signal }),
    caller.dialog.reinvite(sdp(6), { cancelled: AbortSignal.abort() }),
  ]
  const { cancelled } = await callee.offers.take()
  second.abort()
  first.abort()
  const results = await Promise.all(finals)
  expect(results.map(({ response, local }) => [response.status, local])).toEqual([
    [487, false],
    [487, true],
    [487, true],
  ])
  expect(cancelled.aborted).toBe(true)
  expect([caller.dialog.canOffer, callee.dialog.canOffer, callee.offers.size]).toEqual([true, true, 0])
})
