import { describe, expect, test } from 'vitest'
import { noCounters } from '../../src/sip/counters.ts'
import { AnsweredRequests } from '../../src/sip/transaction/answered-requests.ts'
import { InviteServerTransaction } from '../../src/sip/transaction/invite-server.ts'
import { KeptResponses } from '../../src/sip/transaction/kept-responses.ts'
import { NonInviteServerTransaction } from '../../src/sip/transaction/non-invite-server.ts'
import type { ServerMachine } from '../../src/sip/transaction/server-transaction.ts'
import { FakeClock } from './fake-clock.ts'
import { FakeFlow } from './fake-flow.ts'

function setUp(reliable: boolean) {
  const clock = new FakeClock()
  const flow = new FakeFlow(reliable)
  const gone: ServerMachine[] = []
  const context = {
    wheel: clock.wheel,
    counters: noCounters,
    kept: new KeptResponses(),
    answered: new AnsweredRequests(clock.wheel),
    onTerminated: (machine: ServerMachine) => gone.push(machine),
  }
  const expired: string[] = []
  const pending = {
    bytesOf: (status: number) => Buffer.from(String(status)),
    expire: () => {
      expired.push('expired')
    },
  }
  return { clock, flow, gone, context, pending, expired }
}

const bytes = (status: number) => Buffer.from(String(status))

function sendTimes(clock: FakeClock, flow: FakeFlow, ms: number): number[] {
  const times: number[] = []
  for (const end = clock.now + ms; clock.now < end; ) {
    clock.advance(10)
    for (const _ of flow.takeSent()) times.push(clock.now)
  }
  return times
}

describe('a server transaction that is no INVITE (RFC 3261 §17.2.2)', () => {
  function start(reliable = false) {
    const all = setUp(reliable)
    return { ...all, machine: new NonInviteServerTransaction(all.context, 'key', all.flow, all.pending) }
  }

  test('absorbs retransmissions in silence until there is a response', () => {
    const { flow, machine } = start()
    machine.receiveRetransmission()
    expect(flow.sent).toEqual([])
    expect(machine.state).toBe('trying')
  })

  test('its response is kept for retransmissions until timer J', () => {
    const { clock, context, gone, machine } = start()
    expect(machine.respond(200, bytes(200))).toBe(true)
    expect(gone).toEqual([machine])
    expect(context.answered.find('key')).toEqual(bytes(200))
    clock.advance(31_990)
    expect(context.answered.find('key')).toEqual(bytes(200))
    clock.advance(3000)
    expect(context.answered.find('key')).toBeUndefined()
    expect(clock.wheel.size).toBe(0)
  })

  test('many responses are kept at once, long ones as well, and each goes after timer J', () => {
    const { clock, context } = setUp(false)
    const responses = Array.from({ length: 5000 }, (_, at) => Buffer.alloc(at % 100 === 0 ? 70_000 : 300, `${at} `))
    for (const [at, response] of responses.entries()) {
      context.answered.keep(`key ${at}`, response)
      if (at % 10 === 0) clock.advance(10)
    }
    for (const [at, response] of responses.entries()) {
      expect(context.answered.find(`key ${at}`)?.equals(response)).toBe(true)
    }
    clock.advance(35_000)
    expect([context.answered.size, clock.wheel.size]).toEqual([0, 0])
  })

  test('sends one final response and no other', () => {
    const { flow, machine } = start()
    machine.respond(200, bytes(200))
    expect(machine.respond(500, bytes(500))).toBe(false)
    expect(flow.sent).toEqual(['200'])
  })

  test('over TCP the response ends it at once, as timer J is zero', () => {
    const { clock, flow, gone, machine } = start(true)
    machine.respond(404, bytes(404))
    expect(flow.sent).toEqual(['404'])
    expect(gone).toEqual([machine])
    expect(clock.wheel.size).toBe(0)
  })

  test.each([false, true])(
    'says 100 when a client would have come to T2, not before (RFC 4320 §4.1); reliable: %s',
    (reliable) => {
      const { clock, flow, machine } = start(reliable)
      expect(machine.respond(183, bytes(183))).toBe(false)
      expect(sendTimes(clock, flow, 5000)).toEqual([3500])
      expect(machine.state).toBe('proceeding')
      machine.receiveRetransmission()
      expect(flow.takeSent()).toEqual(['100'])
      machine.respond(200, bytes(200))
      expect(flow.takeSent()).toEqual(['200'])
    },
  )

  test('never says 408, which could only come too late (RFC 4320 §4.2)', () => {
    const { clock, flow, gone, machine } = start()
    expect(machine.respond(408, bytes(408))).toBe(false)
    expect(flow.sent).toEqual([])
    expect(gone).toEqual([machine])
    expect(clock.wheel.size).toBe(0)
  })

  test('goes by itself when nobody answers it in 64*T1', () => {
    const { clock, gone, machine, expired } = start()
    clock.advance(31_980)
    expect(gone).toEqual([])
    clock.advance(30)
    expect(gone).toEqual([machine])
    expect(expired).toEqual(['expired'])
    expect(machine.respond(200, bytes(200))).toBe(false)
    expect(clock.wheel.size).toBe(0)
  })
})

describe('a server transaction of INVITE (RFC 3261 §17.2.1, RFC 6026 §7.1)', () => {
  function start(reliable = false) {
    const all = setUp(reliable)
    return { ...all, machine: new InviteServerTransaction(all.context, 'key', all.flow, all.pending) }
  }

  test('says 100 by itself after 200 ms, and again to a retransmission', () => {
    const { clock, flow, machine } = start()
    machine.receiveRetransmission()
    expect(flow.sent).toEqual([])
    expect(sendTimes(clock, flow, 1000)).toEqual([200])
    machine.receiveRetransmission()
    expect(flow.takeSent()).toEqual(['100'])
  })

  test('answers a retransmission with the last provisional response, and says no 100 after one', () => {
    const { clock, flow, machine } = start()
    machine.respond(180, bytes(180))
    machine.respond(183, bytes(183))
    machine.receiveRetransmission()
    clock.advance(1000)
    expect(flow.takeSent()).toEqual(['180', '183', '183'])
    expect(machine.state).toBe('proceeding')
  })

  test('retransmits a failure over UDP with timer G up to T2, and gives up with timer H', () => {
    const { clock, flow, gone, machine } = start()
    machine.respond(486, bytes(486))
    expect(machine.state).toBe('completed')
    expect(flow.takeSent()).toEqual(['486'])
    expect(sendTimes(clock, flow, 32_010)).toEqual([
      500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ])
    expect(gone).toEqual([machine])
    expect(clock.wheel.size).toBe(0)
  })

  test('the ACK stops that; it is absorbed until timer I', () => {
    const { clock, flow, gone, machine } = start()
    machine.respond(486, bytes(486))
    machine.receiveRetransmission()
    expect(flow.takeSent()).toEqual(['486', '486'])
    expect(machine.receiveAck()).toBe(true)
    expect(machine.state).toBe('confirmed')
    expect(machine.receiveAck()).toBe(true)
    machine.receiveRetransmission()
    expect(machine.respond(200, bytes(200))).toBe(false)
    expect(sendTimes(clock, flow, 4990)).toEqual([])
    expect(gone).toEqual([])
    clock.advance(20)
    expect(gone).toEqual([machine])
    expect(clock.wheel.size).toBe(0)
  })

  test('over TCP a failure is not retransmitted, and the ACK ends it, as timer I is zero', () => {
    const { clock, flow, gone, machine } = start(true)
    machine.respond(486, bytes(486))
    expect(sendTimes(clock, flow, 10_000)).toEqual([10])
    machine.receiveAck()
    expect(gone).toEqual([machine])
    expect(clock.wheel.size).toBe(0)
  })

  test('after a 2xx retransmissions are absorbed, further 2xx sent, and the ACK is the user’s, until timer L', () => {
    const { clock, flow, gone, machine } = start()
    machine.respond(200, bytes(200))
    expect(machine.state).toBe('accepted')
    machine.receiveRetransmission()
    expect(flow.takeSent()).toEqual(['200'])
    expect(machine.respond(200, bytes(200))).toBe(true)
    expect(machine.respond(486, bytes(486))).toBe(false)
    expect(machine.receiveAck()).toBe(false)
    expect(flow.takeSent()).toEqual(['200'])
    clock.advance(31_980)
    expect(gone).toEqual([])
    clock.advance(30)
    expect(gone).toEqual([machine])
    expect(machine.receiveAck()).toBe(false)
    expect(clock.wheel.size).toBe(0)
  })

  test('a CANCEL makes it answer 487, unless it is answered (RFC 3261 §9.2)', () => {
    const ringing = start()
    ringing.machine.respond(180, bytes(180))
    ringing.machine.cancel()
    expect(ringing.flow.takeSent()).toEqual(['180', '487'])
    expect(ringing.machine.state).toBe('completed')
    const answered = start()
    answered.machine.respond(200, bytes(200))
    answered.machine.cancel()
    expect(answered.flow.takeSent()).toEqual(['200'])
  })
})

describe('kept responses', () => {
  test('are the bytes they were, also when the Buffer they came in is used again', () => {
    const kept = new KeptResponses()
    const source = Buffer.alloc(300)
    const entries = Array.from({ length: 1000 }, (_, n) => kept.keep(source.fill(n % 256)))
    for (const [n, entry] of entries.entries()) expect(entry.bytes.equals(Buffer.alloc(300, n % 256))).toBe(true)
  })

  test('may be larger than a slab', () => {
    const kept = new KeptResponses()
    const large = Buffer.alloc(200_000, 7)
    const [small, entry] = [kept.keep(Buffer.from('small')), kept.keep(large)]
    expect(entry.bytes.equals(large)).toBe(true)
    expect(small.bytes.toString()).toBe('small')
  })
})
