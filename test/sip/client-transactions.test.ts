import { describe, expect, test } from 'vitest'
import { Headers } from '../../src/protocols/sip/headers.ts'
import { SipResponse } from '../../src/protocols/sip/message.ts'
import { noCounters } from '../../src/sip/counters.ts'
import type { ClientMachine, ClientUser } from '../../src/sip/transaction/client-transaction.ts'
import { InviteClientTransaction } from '../../src/sip/transaction/invite-client.ts'
import { NonInviteClientTransaction } from '../../src/sip/transaction/non-invite-client.ts'
import { FakeClock } from './fake-clock.ts'
import { FakeFlow } from './fake-flow.ts'

class User implements ClientUser {
  readonly heard: (number | string)[] = []
  onResponse(response: SipResponse): void {
    this.heard.push(response.status)
  }
  onTimeout(): void {
    this.heard.push('timeout')
  }
  onTransportError(): void {
    this.heard.push('transport error')
  }
}

const response = (status: number) => new SipResponse(status, '', new Headers([['To', `<sip:bob@b>;tag=${status}`]]))

function setUp(reliable: boolean) {
  const clock = new FakeClock()
  const flow = new FakeFlow(reliable)
  const user = new User()
  const gone: ClientMachine[] = []
  const context = {
    wheel: clock.wheel,
    counters: noCounters,
    onTerminated: (machine: ClientMachine) => gone.push(machine),
  }
  return { clock, flow, user, gone, context }
}

/** The times at which something was sent while `ms` passed. */
function sendTimes(clock: FakeClock, flow: FakeFlow, ms: number): number[] {
  const times: number[] = []
  for (const end = clock.now + ms; clock.now < end; ) {
    clock.advance(10)
    for (const _ of flow.takeSent()) times.push(clock.now)
  }
  return times
}

describe('a client transaction that is no INVITE (RFC 3261 §17.1.2)', () => {
  function start(reliable = false) {
    const all = setUp(reliable)
    const machine = new NonInviteClientTransaction(all.context, 'key', all.flow, Buffer.from('request'), all.user)
    machine.start()
    return { ...all, machine }
  }

  test('retransmits over UDP with timer E doubling to T2, until timer F ends it', () => {
    const { clock, flow, user, gone, machine } = start()
    expect(flow.takeSent()).toEqual(['request'])
    expect(sendTimes(clock, flow, 31_990)).toEqual([
      500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ])
    expect(user.heard).toEqual([])
    expect(machine.state).toBe('trying')
    clock.advance(20)
    expect(user.heard).toEqual(['timeout'])
    expect(machine.state).toBe('terminated')
    expect(gone).toEqual([machine])
    expect(clock.wheel.size).toBe(0)
  })

  test('does not retransmit over TCP, and times out all the same', () => {
    const { clock, flow, user } = start(true)
    expect(flow.takeSent()).toEqual(['request'])
    expect(sendTimes(clock, flow, 32_010)).toEqual([])
    expect(user.heard).toEqual(['timeout'])
    expect(flow.watchers.size).toBe(0)
  })

  test('after a provisional response retransmits every T2, and still times out', () => {
    const { clock, flow, user, machine } = start()
    flow.takeSent()
    machine.receive(response(100))
    expect(machine.state).toBe('proceeding')
    expect(sendTimes(clock, flow, 31_000)).toEqual([500, 4500, 8500, 12_500, 16_500, 20_500, 24_500, 28_500])
    machine.receive(response(183))
    clock.advance(1010)
    expect(user.heard).toEqual([100, 183, 'timeout'])
  })

  test('a final response is told once; what comes again within timer K is absorbed', () => {
    const { clock, flow, user, gone, machine } = start()
    machine.receive(response(200))
    machine.receive(response(200))
    machine.receive(response(404))
    expect(user.heard).toEqual([200])
    expect(machine.state).toBe('completed')
    flow.takeSent()
    expect(sendTimes(clock, flow, 4990)).toEqual([])
    expect(gone).toEqual([])
    clock.advance(20)
    expect(gone).toEqual([machine])
    expect(clock.wheel.size).toBe(0)
  })

  test('a final response in proceeding ends it too', () => {
    const { user, machine } = start()
    machine.receive(response(100))
    machine.receive(response(486))
    expect(user.heard).toEqual([100, 486])
    expect(machine.state).toBe('completed')
  })

  test('over TCP a final response ends it at once, as timer K is zero', () => {
    const { clock, user, gone, machine } = start(true)
    machine.receive(response(200))
    machine.receive(response(200))
    expect(user.heard).toEqual([200])
    expect(gone).toEqual([machine])
    expect(clock.wheel.size).toBe(0)
  })

  test('a connection that closes is a transport error, at once', () => {
    const { clock, flow, user, gone, machine } = start(true)
    flow.close()
    expect(user.heard).toEqual(['transport error'])
    expect(gone).toEqual([machine])
    expect(clock.wheel.size).toBe(0)
  })

  test('a request that cannot be sent, at first or again, is a transport error', () => {
    const all = setUp(false)
    all.flow.open = false
    new NonInviteClientTransaction(all.context, 'key', all.flow, Buffer.from('request'), all.user).start()
    expect(all.user.heard).toEqual(['transport error'])
    const { clock, flow, user } = start()
    flow.open = false
    clock.advance(510)
    expect(user.heard).toEqual(['transport error'])
    expect(clock.wheel.size).toBe(0)
  })

  test('an abandoned one is silent, and absorbs its response', () => {
    const { clock, flow, user, gone, machine } = start()
    flow.takeSent()
    machine.abandon()
    machine.receive(response(200))
    expect(sendTimes(clock, flow, 5010)).toEqual([])
    expect(user.heard).toEqual([])
    expect(gone).toEqual([machine])
    machine.abandon()
  })
})

describe('a client transaction of INVITE (RFC 3261 §17.1.1, RFC 6026 §7.2)', () => {
  function start(reliable = false) {
    const all = setUp(reliable)
    let cancels = 0
    const requests = {
      ackFor: (final: SipResponse) => Buffer.from(`ACK ${final.status}`),
      cancel: () => {
        cancels++
      },
    }
    const machine = new InviteClientTransaction(all.context, 'key', all.flow, Buffer.from('INVITE'), all.user, requests)
    machine.start()
    return { ...all, machine, cancels: () => cancels }
  }

  test('retransmits over UDP with timer A doubling without bound, until timer B ends it', () => {
    const { clock, flow, user, gone, machine } = start()
    expect(flow.takeSent()).toEqual(['INVITE'])
    expect(sendTimes(clock, flow, 32_010)).toEqual([500, 1500, 3500, 7500, 15_500, 31_500])
    expect(user.heard).toEqual(['timeout'])
    expect(gone).toEqual([machine])
    expect(clock.wheel.size).toBe(0)
  })

  test('a provisional response stops timers A and B for good', () => {
    const { clock, flow, user, machine } = start()
    flow.takeSent()
    machine.receive(response(180))
    expect(machine.state).toBe('proceeding')
    expect(sendTimes(clock, flow, 100_000)).toEqual([])
    machine.receive(response(183))
    expect(user.heard).toEqual([180, 183])
    expect(clock.wheel.size).toBe(0)
  })

  test('a failure is acknowledged, each time that it comes, until timer D', () => {
    const { clock, flow, user, gone, machine } = start()
    flow.takeSent()
    machine.receive(response(486))
    expect(machine.state).toBe('completed')
    expect(flow.takeSent()).toEqual(['ACK 486'])
    machine.receive(response(486))
    machine.receive(response(180))
    expect(flow.takeSent()).toEqual(['ACK 486'])
    clock.advance(31_980)
    expect(gone).toEqual([])
    clock.advance(30)
    expect(user.heard).toEqual([486])
    expect(gone).toEqual([machine])
    expect(clock.wheel.size).toBe(0)
  })

  test('over TCP a failure is acknowledged and ends it at once, as timer D is zero', () => {
    const { flow, user, gone, machine } = start(true)
    machine.receive(response(603))
    expect(flow.takeSent()).toEqual(['INVITE', 'ACK 603'])
    expect(user.heard).toEqual([603])
    expect(gone).toEqual([machine])
  })

  test('a 2xx is told each time that it comes, other branches of a fork included, until timer M', () => {
    const { clock, flow, user, gone, machine } = start()
    flow.takeSent()
    machine.receive(response(200))
    expect(machine.state).toBe('accepted')
    machine.receive(response(200))
    machine.receive(response(180))
    machine.receive(response(486))
    expect(user.heard).toEqual([200, 200])
    expect(sendTimes(clock, flow, 31_980)).toEqual([])
    expect(gone).toEqual([])
    clock.advance(30)
    expect(gone).toEqual([machine])
    expect(user.heard).toEqual([200, 200])
    expect(clock.wheel.size).toBe(0)
  })

  test('a connection that closes is a transport error before a final response, and nothing after a 2xx', () => {
    const calling = start(true)
    calling.flow.close()
    expect(calling.user.heard).toEqual(['transport error'])
    const accepted = start(true)
    accepted.machine.receive(response(200))
    accepted.flow.close()
    expect(accepted.user.heard).toEqual([200])
    expect(accepted.gone).toEqual([accepted.machine])
    expect(accepted.clock.wheel.size).toBe(0)
  })

  test('an abandoned one sends CANCEL when a provisional response has come, not before (RFC 3261 §9.1)', () => {
    const { clock, flow, user, gone, machine, cancels } = start()
    machine.abandon()
    expect(cancels()).toBe(0)
    machine.receive(response(100))
    expect(cancels()).toBe(1)
    machine.receive(response(180))
    expect(cancels()).toBe(1)
    flow.takeSent()
    machine.receive(response(487))
    expect(flow.takeSent()).toEqual(['ACK 487'])
    expect(user.heard).toEqual([])
    clock.advance(32_010)
    expect(gone).toEqual([machine])
  })

  test('an abandoned one whose CANCEL has no effect is not waited for beyond 64*T1', () => {
    const { clock, gone, machine, cancels } = start()
    machine.receive(response(180))
    machine.abandon()
    expect(cancels()).toBe(1)
    clock.advance(32_010)
    expect(gone).toEqual([machine])
    expect(clock.wheel.size).toBe(0)
  })
})
