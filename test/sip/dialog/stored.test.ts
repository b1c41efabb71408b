import { expect, test } from 'vitest'
import { byeFor } from '../../../src/sip/sip-stack.ts'
import { eventually } from '../../support/eventually.ts'
import { StackRig } from '../stack-rig.ts'
import { CallRig, inviteTo, Placed } from './call-rig.ts'
import { WireParty, withDescription } from './wire-party.ts'

test('after a crash a BYE can be said from the stored row', async () => {
  await using rig = await CallRig.start()
  const { caller, callee } = await rig.connect()
  const row = JSON.parse(JSON.stringify(callee.dialog.snapshot()))
  await callee.dialog.request('INFO')
  await rig.callee.stack.close(AbortSignal.abort()) // without a word
  expect(caller.dialog.state).toBe('confirmed')
  await using again = await StackRig.start(['udp'])
  const { request, target } = byeFor(row, { protocol: 'SIP', cause: 503 })
  expect((await again.send(request, target)).response.status).toBe(200)
  expect(await caller.ended.take()).toMatchObject({ by: 'remote', reason: { cause: 503 } })
})

test('the row leads over the route and to the target', async () => {
  await using rig = await StackRig.start(['udp'])
  using bob = await WireParty.to(rig)
  const placed = new Placed(rig, inviteTo(bob.uri))
  const routes = [`Record-Route: <${bob.uri};lr;n=1>`]
  const headers = ['Content-Type: application/sdp', ...routes]
  bob.answer(await bob.takeRequest('INVITE'), 200, 'one', { ...withDescription, headers })
  const { end } = await placed.answered.take()
  const { request, target } = byeFor(end.dialog.snapshot())
  void rig.send(request, target)
  const bye = await bob.takeRequest('BYE')
  expect([bye.uri, bye.header('route'), bye.header('to')]).toEqual([
    bob.uri,
    `<${bob.uri};lr;n=1>`,
    end.dialog.dialog.remote,
  ])
  expect(Number.parseInt(bye.header('cseq') ?? '', 10)).toBeGreaterThan(1000)
})

test('a stack that closes ends its dialogs without a word, and holds nothing', async () => {
  await using rig = await CallRig.start()
  const { caller, callee } = await rig.connect()
  await rig.caller.stack.close(AbortSignal.abort())
  expect(rig.caller.stack.held).toMatchObject({ clients: 0, servers: 0, dialogs: 0, timers: 0 })
  expect(caller.dialog.state).toBe('terminated')
  expect(callee.dialog.state).toBe('confirmed')
})

test('a connection that is gone is lost with its dialog, when something is to be said over it', async () => {
  await using rig = await CallRig.start('tcp')
  const { caller } = await rig.connect()
  await rig.callee.stack.close(AbortSignal.abort())
  const { local } = await caller.dialog.request('INFO')
  expect(local).toBe(true)
  expect((await caller.ended.take()).by).toBe('lost')
  await eventually(() => expect(rig.caller.stack.held.dialogs).toBe(0))
})
