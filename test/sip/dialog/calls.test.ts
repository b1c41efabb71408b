import { describe, expect, test } from 'vitest'
import { CallRig, End, inviteTo, ok, Placed, sdp } from './call-rig.ts'

describe.each(['udp', 'tcp'] as const)('a call over %s', (transport) => {
  test('rings, is answered, acknowledged and ended by the caller', async () => {
    await using rig = await CallRig.start(transport)
    const { placed, invite } = await rig.ring()
    void invite.ring({ status: 180 })
    const { response, dialog } = await placed.provisional.take()
    expect(response.status).toBe(180)
    expect(dialog?.state).toBe('early')
    const callee = new End(invite.accept(ok(2)))
    const { end: caller, response: accepted } = await placed.answered.take()
    expect(accepted.body).toEqual(sdp(2).body)
    expect(caller.dialog).toBe(dialog)
    expect((await callee.acks.take()).method).toBe('ACK')
    expect([caller.dialog.state, callee.dialog.state]).toEqual(['confirmed', 'confirmed'])
    await caller.dialog.bye({ protocol: 'SIP', cause: 200, text: 'Bye' })
    expect(await callee.ended.take()).toMatchObject({ by: 'remote', reason: { cause: 200, text: 'Bye' } })
    expect(await caller.ended.take()).toMatchObject({ by: 'local' })
    expect(rig.caller.stack.held.dialogs).toBe(0)
    expect(rig.callee.stack.held.dialogs).toBe(0)
  })

  test('is ended by the callee', async () => {
    await using rig = await CallRig.start(transport)
    const { caller, callee } = await rig.connect()
    await callee.dialog.bye()
    expect((await caller.ended.take()).by).toBe('remote')
    expect(rig.callee.stack.held.dialogs).toBe(0)
  })

  test('carries requests both ways, with numbers that grow', async () => {
    await using rig = await CallRig.start(transport)
    const { caller, callee } = await rig.connect()
    const body = Buffer.from([0, 255, 10])
    const info = { headers: [['Content-Type', 'application/octet-stream']] as const, body }
    expect((await caller.dialog.request('INFO', info)).response.status).toBe(200)
    expect((await callee.requests.take()).body).toEqual(body)
    caller.reply = () => ({ status: 202, headers: [['X-Any', 'thing']] })
    for (const method of ['MESSAGE', 'REFER', 'NOTIFY']) {
      const { response, local } = await callee.dialog.request(method)
      expect([response.status, response.headers.get('x-any'), local]).toEqual([202, 'thing', false])
      expect((await caller.requests.take()).method).toBe(method)
    }
  })

  test('is refused', async () => {
    await using rig = await CallRig.start(transport)
    const { placed, invite } = await rig.ring()
    invite.refuse({ status: 486 })
    const { response, local } = await placed.failed.take()
    expect([response.status, local]).toEqual([486, false])
    expect(rig.caller.stack.held.dialogs + rig.callee.stack.held.dialogs).toBe(0)
  })

  test('is cancelled while it rings, with the reason', async () => {
    await using rig = await CallRig.start(transport)
    const { placed, invite } = await rig.ring()
    const cancelled = new Promise((resolve) => invite.onCancelled(resolve))
    void invite.ring({ status: 180 })
    await placed.provisional.take()
    placed.call.cancel({ protocol: 'SIP', cause: 200, text: 'Call completed elsewhere' })
    expect(await cancelled).toEqual({ protocol: 'SIP', cause: 200, text: 'Call completed elsewhere' })
    expect((await placed.failed.take()).response.status).toBe(487)
    expect(invite.dialog.state).toBe('terminated')
    expect(rig.caller.stack.held.dialogs + rig.callee.stack.held.dialogs).toBe(0)
  })
})

test('a call that leads nowhere fails here', async () => {
  await using rig = await CallRig.start('tcp')
  const placed = new Placed(rig.caller, inviteTo('sip:bob@127.0.0.1:1;transport=tcp'))
  const { response, local } = await placed.failed.take()
  expect([response.status, local]).toEqual([503, true])
})

test('an INVITE without offer is answered with one, and the answer comes in the ACK', async () => {
  await using rig = await CallRig.start()
  const { placed, invite } = await rig.ring({})
  placed.answer = sdp(3)
  const callee = new End(invite.accept(ok(2)))
  expect(callee.dialog.canOffer).toBe(false)
  const { response } = await placed.answered.take()
  expect(response.body).toEqual(sdp(2).body)
  expect((await callee.acks.take()).body).toEqual(sdp(3).body)
  expect(callee.dialog.canOffer).toBe(true)
})
