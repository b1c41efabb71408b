import { describe, expect, test } from 'vitest'
import { Headers } from '../../../src/protocols/sip/headers.ts'
import { SipRequest } from '../../../src/protocols/sip/message.ts'
import { termsFor } from '../../../src/sip/dialog/session-terms.ts'
import { SessionTimer } from '../../../src/sip/dialog/session-timer.ts'
import { eventually } from '../../support/eventually.ts'
import { FakeClock } from '../fake-clock.ts'
import { StackRig } from '../stack-rig.ts'
import { CallRig, End, inviteTo, ok, Placed, sdp } from './call-rig.ts'
import { tagOf, WireParty, withDescription } from './wire-party.ts'

const short = { dialogs: { session: { sessionExpires: 60, minSE: 30 } } }

describe('the session timer (RFC 4028 §10)', () => {
  function start(interval: number, refreshes: boolean) {
    const clock = new FakeClock()
    const heard: [number, string][] = []
    const timer = new SessionTimer(clock.wheel, {
      refreshSession: () => heard.push([clock.now / 1000, 'refresh']),
      expireSession: () => heard.push([clock.now / 1000, 'expiry']),
    })
    timer.start(interval, refreshes)
    return { clock, heard, timer }
  }

  test('wants a refresh at half of the interval, and ends 32 s before its end', () => {
    const { clock, heard } = start(1800, true)
    clock.advance(1_800_000)
    expect(heard).toEqual([
      [900, 'refresh'],
      [1768, 'expiry'],
    ])
    expect(clock.wheel.size).toBe(0)
  })

  test('ends a third before the end of a short interval, and refreshes nothing where the peer does', () => {
    const { clock, heard } = start(90, false)
    clock.advance(100_000)
    expect(heard).toEqual([[60, 'expiry']])
  })

  test('begins anew with each refresh, and leaves nothing when it stops', () => {
    const { clock, heard, timer } = start(90, false)
    clock.advance(50_000)
    timer.start(90, false)
    clock.advance(50_000)
    expect(heard).toEqual([])
    timer.stop()
    expect(clock.wheel.size).toBe(0)
  })
})

describe('what a server answers to Session-Expires (RFC 4028 §9)', () => {
  const policy = { sessionExpires: 1800, minSE: 90 }
  const request = (lines: Record<string, string>) =>
    new SipRequest('INVITE', 'sip:a@b', new Headers(Object.entries(lines)))
  test.each([
    [{}, { interval: 1800, refresher: 'uas', agreed: false }],
    [{ Supported: 'timer' }, { interval: 1800, refresher: 'uas', agreed: true }],
    [
      { Supported: 'timer', 'Session-Expires': '300' },
      { interval: 300, refresher: 'uas', agreed: true },
    ],
    [
      { Supported: 'timer', x: '300;refresher=uac' },
      { interval: 300, refresher: 'uac', agreed: true },
    ],
    [
      { Supported: 'timer', 'Session-Expires': '7200;refresher=uas' },
      { interval: 1800, refresher: 'uas', agreed: true },
    ],
    [
      { Supported: 'timer', 'Session-Expires': '7200', 'Min-SE': '3600' },
      { interval: 3600, refresher: 'uas', agreed: true },
    ],
    [{ 'Session-Expires': '60;refresher=uac' }, { interval: 60, refresher: 'uas', agreed: false }],
    [
      { Supported: 'timer', 'Session-Expires': 'soon' },
      { interval: 1800, refresher: 'uas', agreed: true },
    ],
  ])('%j', (lines, terms) => {
    expect(termsFor(request(lines as Record<string, string>), policy)).toEqual(terms)
  })

  test('nothing, where neither wants a session timer', () => {
    expect(termsFor(request({ Supported: 'timer' }), { sessionExpires: 0, minSE: 90 })).toBeUndefined()
  })
})

test('a session is refreshed by its caller for as long as it lives', async () => {
  let updates = 0
  const trace = (direction: string, _flow: unknown, bytes: Buffer) => {
    if (direction === 'in' && /^SIP\/2.0 200 .* UPDATE\r\n/s.test(bytes.toString('latin1'))) updates++
  }
  await using rig = await CallRig.start('udp', { ...short, trace })
  const { caller, callee } = await rig.connect()
  for (let n = 1; n <= 4; n++) {
    rig.caller.skip(30_000)
    rig.callee.skip(30_000)
    await eventually(() => expect(updates).toBe(n))
  }
  expect([caller.dialog.state, callee.dialog.state]).toEqual(['confirmed', 'confirmed'])
  expect(callee.offers.size).toBe(0)
})

/** A wire party that the stack has called, with what it answers. */
async function called(headers: string[]) {
  const rig = await StackRig.start(['udp'], short)
  const bob = await WireParty.to(rig)
  const placed = new Placed(rig, inviteTo(bob.uri))
  const invite = await bob.takeRequest('INVITE')
  bob.answer(invite, 200, 'one', { ...withDescription, headers: ['Content-Type: application/sdp', ...headers] })
  const { end } = await placed.answered.take()
  await bob.takeRequest('ACK')
  return { rig, bob, end, invite }
}

test('a caller asks for the interval, and refreshes by UPDATE where the peer knows it', async () => {
  const { rig, bob, invite, end } = await called([
    'Session-Expires: 80;refresher=uac',
    'Require: timer',
    'Allow: INVITE, UPDATE',
  ])
  await using _rig = rig
  using _bob = bob
  expect([invite.header('session-expires'), invite.header('min-se')]).toEqual(['60;refresher=uac', '30'])
  expect(invite.header('supported')).toContain('timer')
  rig.skip(40_000)
  const update = await bob.takeRequest('UPDATE')
  expect([update.header('session-expires'), update.body.length]).toEqual(['80;refresher=uac', 0])
  bob.answer(update, 200, 'one', { headers: ['Session-Expires: 90;refresher=uac'] })
  await eventually(() => expect(end.dialog.timer.interval).toBe(90))
  rig.skip(45_000)
  expect((await bob.takeRequest('UPDATE')).header('session-expires')).toBe('90;refresher=uac')
})

test('by re-INVITE with the session description in force where it does not', async () => {
  const { rig, bob } = await called([])
  await using _rig = rig
  using _bob = bob
  rig.skip(30_000)
  const again = await bob.takeRequest('INVITE')
  expect(again.body).toEqual(sdp(1).body)
  bob.answer(again, 200, 'one', withDescription)
  expect((await bob.takeRequest('ACK')).header('cseq')).toBe('2 ACK')
})

test('a refresh that is not answered ends the session with BYE', async () => {
  const { rig, bob, end } = await called(['Allow: UPDATE'])
  await using _rig = rig
  using _bob = bob
  rig.skip(30_000)
  await bob.takeRequest('UPDATE')
  await eventually(() => {
    rig.skip(30_000)
    expect(end.ended.size).toBe(1)
  })
  expect((await end.ended.take()).by).toBe('expired')
  await bob.takeRequest('BYE')
})

test('a peer that knows no session timers and refuses the refresh is alive all the same', async () => {
  const { rig, bob, end } = await called(['Allow: UPDATE'])
  await using _rig = rig
  using _bob = bob
  for (let n = 0; n < 4; n++) {
    rig.skip(30_000)
    bob.answer(await bob.takeRequest('UPDATE'), 405, 'one')
    const info = end.dialog.request('INFO') // its answer comes after the other one
    bob.answer(await bob.takeRequest('INFO'), 200, 'one')
    await info
  }
  expect(end.dialog.state).toBe('confirmed')
})

test('a peer that does not refresh what it has to is ended with BYE', async () => {
  const { rig, bob, end } = await called(['Session-Expires: 80;refresher=uas'])
  await using _rig = rig
  using _bob = bob
  rig.skip(60_000)
  expect((await end.ended.take()).by).toBe('expired')
  await bob.takeRequest('BYE')
})

test('a 422 is met with the interval that is wanted, in the call and within', async () => {
  const rig = await StackRig.start(['udp'], short)
  await using _rig = rig
  using bob = await WireParty.to(rig)
  const placed = new Placed(rig, inviteTo(bob.uri))
  bob.answer(await bob.takeRequest('INVITE'), 422, 'one', { headers: ['Min-SE: 100'] })
  await bob.takeRequest('ACK')
  const second = await bob.takeRequest('INVITE')
  expect([second.header('cseq'), second.header('session-expires')]).toEqual(['2 INVITE', '100;refresher=uac'])
  bob.answer(second, 200, 'two', {
    ...withDescription,
    headers: ['Content-Type: application/sdp', 'Session-Expires: 100;refresher=uas'],
  })
  const { end } = await placed.answered.take()
  expect((await bob.takeRequest('ACK')).header('cseq')).toBe('2 ACK')
  const updated = end.dialog.update({})
  const first = await bob.takeRequest('UPDATE')
  expect(first.header('session-expires')).toBe('100;refresher=uas')
  bob.answer(first, 422, 'two', { headers: ['Min-SE: 120'] })
  const again = await bob.takeRequest('UPDATE')
  expect(again.header('session-expires')).toBe('120;refresher=uas')
  bob.answer(again, 200, 'two')
  expect((await updated).response.status).toBe(200)
})

test('an interval that is too brief is refused 422, outside a dialog and within', async () => {
  const rig = await StackRig.start(['udp'])
  await using _rig = rig
  rig.answer = 'hold'
  using bob = await WireParty.to(rig)
  const brief = ['Supported: timer', 'Session-Expires: 60']
  bob.request('INVITE', { headers: brief })
  const refused = rig.stack.invited(await rig.requests.take())
  expect(refused.objection).toEqual({ status: 422, headers: [['Min-SE', '90']] })
  refused.refuse({ status: 422 })
  bob.request('INVITE', {
    ...withDescription,
    headers: ['Content-Type: application/sdp', 'Supported: timer', 'Session-Expires: 300;refresher=uac'],
  })
  const end = new End(rig.stack.invited(await rig.requests.take()).accept(ok(2)))
  await bob.takeResponse('INVITE')
  const accepted = await bob.takeResponse('INVITE')
  expect([accepted.header('session-expires'), accepted.header('require')]).toEqual(['300;refresher=uac', 'timer'])
  const toTag = tagOf(accepted.header('to'))
  bob.request('ACK', { cseq: 2, toTag })
  bob.request('UPDATE', { toTag, headers: brief })
  const tooBrief = await bob.takeResponse('UPDATE')
  expect([tooBrief.status, tooBrief.header('min-se')]).toEqual([422, '90'])
  bob.request('UPDATE', { toTag, headers: ['Supported: timer', 'Session-Expires: 300;refresher=uac'] })
  expect((await bob.takeResponse('UPDATE')).header('session-expires')).toBe('300;refresher=uac')
  expect(end.offers.size).toBe(0)
  rig.skip(299_000)
  expect((await end.ended.take()).by).toBe('expired')
})
