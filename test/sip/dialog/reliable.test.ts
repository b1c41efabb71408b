import { expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { StackRig } from '../stack-rig.ts'
import { CallRig, End, inviteTo, ok, Placed, sdp } from './call-rig.ts'
import { tagOf, WireParty, withDescription } from './wire-party.ts'

test('a provisional response that answers the offer is acknowledged by PRACK, and the 2xx waits for that', async () => {
  await using rig = await CallRig.start()
  const { placed, invite } = await rig.ring()
  const callee = new End(invite.dialog)
  const pracked = invite.ring({ status: 183, ...sdp(2) })
  invite.accept({ status: 200 })
  const { response } = await placed.provisional.take()
  expect([response.status, response.headers.get('require'), response.body]).toEqual([183, '100rel', sdp(2).body])
  const prack = await pracked
  expect(prack?.headers.get('rack')).toBe(`${response.headers.get('rseq')} 1 INVITE`)
  const { end } = await placed.answered.take()
  await callee.acks.take()
  expect([end.dialog.canOffer, callee.dialog.canOffer]).toEqual([true, true])
})

test('an offer in a provisional response is answered in its PRACK', async () => {
  await using rig = await CallRig.start()
  const { placed, invite } = await rig.ring({})
  placed.answer = sdp(3)
  const prack = await invite.ring({ status: 183, ...sdp(2) })
  expect(prack?.body).toEqual(sdp(3).body)
  expect(invite.dialog.canOffer).toBe(true)
  placed.answer = undefined
  invite.accept({ status: 200 })
  expect((await placed.answered.take()).end.dialog.canOffer).toBe(true)
})

test('reliable responses go one after the other, in the order of their numbers', async () => {
  await using rig = await CallRig.start()
  const { placed, invite } = await rig.ring()
  const pracks = Promise.all([
    invite.ring({ status: 183, ...sdp(2) }),
    invite.ring({ status: 180 }),
    invite.ring({ status: 182 }),
  ])
  const seen = [await placed.provisional.take(), await placed.provisional.take(), await placed.provisional.take()]
  expect(seen.map(({ response }) => response.status)).toEqual([183, 180, 182])
  const numbers = seen.map(({ response }) => Number(response.headers.get('rseq')))
  expect(numbers.map((number) => number - (numbers[0] as number))).toEqual([0, 1, 2])
  expect((await pracks).every((prack) => prack?.method === 'PRACK')).toBe(true)
})

test('UPDATE makes an offer in the early dialog, either way', async () => {
  await using rig = await CallRig.start()
  const { placed, invite } = await rig.ring()
  const callee = new End(invite.dialog)
  await invite.ring({ status: 183, ...sdp(2) })
  const { dialog } = await placed.provisional.take()
  const caller = new End(dialog as NonNullable<typeof dialog>)
  expect(caller.dialog.allows('UPDATE')).toBe(true)
  expect((await caller.dialog.update(sdp(4))).response.body).toEqual(ok(90).body)
  expect((await callee.offers.take()).request.body).toEqual(sdp(4).body)
  caller.answer = () => ({ status: 488 })
  expect((await callee.dialog.update(sdp(5))).response.status).toBe(488)
  expect((await caller.offers.take()).request.body).toEqual(sdp(5).body)
  expect([caller.dialog.state, caller.dialog.canOffer, callee.dialog.canOffer]).toEqual(['early', true, true])
})

async function calling(headers: string[]) {
  const rig = await StackRig.start(['udp'])
  rig.answer = 'hold'
  const bob = await WireParty.to(rig)
  bob.request('INVITE', { ...withDescription, headers: ['Content-Type: application/sdp', ...headers] })
  return { rig, bob, invited: rig.stack.invited(await rig.requests.take()) }
}

test('a reliable response is sent again until its PRACK; others for it are answered 481', async () => {
  const { rig, bob, invited } = await calling(['Require: 100rel'])
  await using _rig = rig
  using _bob = bob
  const pracked = invited.ring({ status: 180 })
  const first = await bob.takeResponse('INVITE')
  expect(await bob.takeResponse('INVITE')).toEqual(first)
  const toTag = tagOf(first.header('to'))
  const rseq = first.header('rseq')
  for (const wrong of [`${Number(rseq) + 1} 1 INVITE`, `${rseq} 2 INVITE`, `${rseq} 1 UPDATE`]) {
    bob.request('PRACK', { toTag, headers: [`RAck: ${wrong}`] })
    expect((await bob.takeResponse('PRACK')).status).toBe(481)
  }
  bob.request('PRACK', { toTag, headers: ['RAck: nothing'] })
  expect((await bob.takeResponse('PRACK')).status).toBe(400)
  bob.request('PRACK', { toTag, headers: [`RAck: ${rseq} 1 INVITE`] })
  expect((await bob.takeResponse('PRACK')).status).toBe(200)
  expect((await pracked)?.method).toBe('PRACK')
  bob.request('PRACK', { toTag, headers: [`RAck: ${rseq} 1 INVITE`] })
  expect((await bob.takeResponse('PRACK')).status).toBe(481)
})

test('a PRACK may make an offer of its own', async () => {
  const { rig, bob, invited } = await calling(['Supported: 100rel'])
  await using _rig = rig
  using _bob = bob
  const end = new End(invited.dialog)
  void invited.ring({ status: 183, ...sdp(2) })
  const ringing = await bob.takeResponse('INVITE')
  const headers = [`RAck: ${ringing.header('rseq')} 1 INVITE`, 'Content-Type: application/sdp']
  bob.request('PRACK', { ...withDescription, toTag: tagOf(ringing.header('to')), headers })
  const answer = await bob.takeResponse('PRACK')
  expect([answer.status, answer.body]).toEqual([200, ok(90).body])
  expect((await end.offers.take()).request.method).toBe('PRACK')
  expect(end.dialog.canOffer).toBe(true)
})

test('without PRACK the INVITE is refused in the end, and nothing is left', async () => {
  const { rig, bob, invited } = await calling(['Supported: 100rel'])
  await using _rig = rig
  using _bob = bob
  const end = new End(invited.dialog)
  const cancelled = new Promise((resolve) => invited.onCancelled(resolve as () => void))
  const pracked = invited.ring({ status: 183, ...sdp(2) })
  await bob.takeResponse('INVITE')
  await eventually(() => {
    rig.skip(8000)
    expect(end.ended.size).toBe(1)
  })
  expect(await pracked).toBeUndefined()
  await cancelled
  expect(await end.ended.take()).toEqual({ by: 'unacknowledged' })
  await eventually(() => {
    rig.skip(40_000)
    expect(rig.stack.held).toMatchObject({ clients: 0, servers: 0, dialogs: 0, timers: 0 })
  })
})

test('to a caller that knows no 100rel nothing is reliable, and it is told each minute that it rings', async () => {
  const { rig, bob, invited } = await calling([])
  await using _rig = rig
  using _bob = bob
  expect(await invited.ring({ status: 180 })).toBeUndefined()
  const ringing = await bob.takeResponse('INVITE')
  expect(ringing.header('require')).toBeUndefined()
  rig.skip(60_000)
  expect(await bob.takeResponse('INVITE')).toEqual(ringing)
  invited.refuse({ status: 486 })
  expect((await bob.takeResponse('INVITE')).status).toBe(486)
})

test('a caller acknowledges each reliable response once, and none that has overtaken another', async () => {
  const rig = await StackRig.start(['udp'])
  await using _rig = rig
  using bob = await WireParty.to(rig)
  const placed = new Placed(rig, inviteTo(bob.uri))
  const invite = await bob.takeRequest('INVITE')
  expect(invite.header('supported')).toContain('100rel')
  const reliable = (rseq: number) => ({ headers: ['Require: 100rel', `RSeq: ${rseq}`] })
  bob.answer(invite, 180, 'one', reliable(7))
  const prack = await bob.takeRequest('PRACK')
  expect(prack.header('rack')).toBe('7 1 INVITE')
  bob.answer(prack, 200, 'one')
  for (const rseq of [7, 9, 8]) bob.answer(invite, 183, 'one', reliable(rseq))
  expect((await bob.takeRequest('PRACK')).header('rack')).toBe('8 1 INVITE')
  expect(placed.provisional.size).toBe(2)
})
