import { beforeEach, describe, expect, test } from 'vitest'
import { Floor } from '../../../src/media/floor/floor.ts'
import { floorTimers } from '../../../src/media/floor/floor-timers.ts'
import type { TalkBurstContent } from '../../../src/protocols/floor/talk-burst.ts'
import { FakeClock } from './fake-clock.ts'

type Who = 'alice' | 'bob' | 'carol'

const all: readonly Who[] = ['alice', 'bob', 'carol']
const ssrcs: Readonly<Record<Who, number>> = { alice: 11, bob: 22, carol: 33 }
let clock = new FakeClock()
let floor = newFloor()
let heard: string[] = []
let permitted = new Set<Who>()
let lastRtp: Partial<Record<Who, number>> | undefined = {}

function newFloor(): Floor<Who> {
  return new Floor<Who>({
    clock,
    timers: floorTimers(30_000),
    send: (to, message) => heard.push(`${to}: ${inWords(message)}`),
    permit: (id, may) => void (may ? permitted.add(id) : permitted.delete(id)),
    heardAt: (id) => lastRtp && (lastRtp[id] ?? 0),
  })
}

function inWords(message: TalkBurstContent): string {
  switch (message.type) {
    case 'granted':
      return `granted ${message.stopTalking}s of ${message.participants}`
    case 'taken':
      return `taken by ${message.uri} ${message.speaker}`
    case 'deny':
      return `deny ${message.reason}`
    case 'revoke':
      return `revoke ${message.reason} ${message.retryAfter}`
    case 'queue-status-response':
      return `queue ${message.priority} ${message.position}`
    default:
      return message.type
  }
}

/** What was sent since it was asked last. */
const sent = (): string[] => heard.splice(0)

const request = (who: Who, priority?: number) => floor.handle(who, { type: 'request', ssrc: ssrcs[who], priority })
const release = (who: Who) => floor.handle(who, { type: 'release', ssrc: ssrcs[who], lastSequence: undefined })

function joinAll(queueing: boolean, priority = 2): void {
  for (const who of all) floor.join(who, { uri: who, queueing, priority })
  clock.pass(10_000)
  sent()
}

/** RTP of that one arrives. */
function speak(who: Who): void {
  if (lastRtp !== undefined) lastRtp[who] = clock.now()
}

/** So many seconds of speech. */
function speakFor(who: Who, seconds: number): void {
  for (let second = 0; second < seconds; second++) {
    speak(who)
    clock.pass(1_000)
  }
}

beforeEach(() => {
  clock = new FakeClock()
  floor = newFloor()
  heard = []
  permitted = new Set()
  lastRtp = {}
})

describe('the floor is free', () => {
  test('who comes hears so, and nobody may speak', () => {
    permitted = new Set(all)
    floor.join('alice', { uri: 'alice', queueing: false, priority: 1 })
    expect(sent()).toEqual(['alice: idle'])
    expect(permitted.has('alice')).toBe(false)
  })

  test('idle is sent three times in all, with a second and two between', () => {
    floor.join('alice', { uri: 'alice', queueing: false, priority: 1 })
    clock.pass(999)
    expect(sent()).toHaveLength(1)
    clock.pass(1)
    expect(sent()).toHaveLength(1)
    clock.pass(2_000)
    expect(sent()).toHaveLength(1)
    clock.pass(60_000)
    expect(sent()).toEqual([])
    expect(clock.pending).toBe(0)
  })

  test('a request is granted; the others hear who speaks, and only the speaker passes', () => {
    joinAll(false)
    request('alice')
    expect(sent()).toEqual(['alice: granted 30s of 3', 'bob: taken by alice 11', 'carol: taken by alice 11'])
    expect([...permitted]).toEqual(['alice'])
  })

  test('alone nobody gets it', () => {
    floor.join('alice', { uri: 'alice', queueing: true, priority: 3 })
    sent()
    request('alice')
    expect(sent()).toEqual(['alice: deny 3'])
  })

  test('what one who is not there says is not heard', () => {
    request('alice')
    expect(sent()).toEqual([])
  })
})

describe('somebody speaks', () => {
  test('another request is denied, and the release makes the floor idle', () => {
    joinAll(false)
    request('alice')
    sent()
    request('bob')
    expect(sent()).toEqual(['bob: deny 1'])
    release('alice')
    expect(sent()).toEqual(['alice: idle', 'bob: idle', 'carol: idle'])
    expect(permitted.size).toBe(0)
  })

  test('a request that the speaker repeats is granted again, with the time that is left', () => {
    joinAll(false)
    request('alice')
    speakFor('alice', 12)
    sent()
    request('alice')
    expect(sent()).toEqual(['alice: granted 18s of 3'])
  })

  test('a release that is repeated hears how it is', () => {
    joinAll(false)
    request('alice')
    sent()
    release('bob')
    expect(sent()).toEqual(['bob: taken by alice 11'])
    release('alice')
    clock.pass(10_000)
    sent()
    release('alice')
    expect(sent()).toEqual(['alice: idle'])
  })

  test('four seconds without a packet end the burst (T1)', () => {
    joinAll(false)
    request('alice')
    speakFor('alice', 10)
    sent()
    clock.pass(2_999)
    expect(sent()).toEqual([])
    clock.pass(1)
    expect(sent()).toContain('bob: idle')
    expect(permitted.size).toBe(0)
  })

  test('who is granted and never speaks loses the floor as well', () => {
    joinAll(false)
    request('alice')
    clock.pass(4_000)
    expect(floor.holder).toBeUndefined()
  })

  test('where nobody can tell of packets, only the time ends it', () => {
    joinAll(false)
    lastRtp = undefined
    request('alice')
    clock.pass(29_999)
    expect(floor.holder).toBe('alice')
  })

  test('one who comes in hears who speaks, and one who leaves gives the floor back', () => {
    joinAll(false)
    floor.leave('carol')
    request('alice')
    sent()
    floor.join('carol', { uri: 'carol', queueing: false, priority: 1 })
    expect(sent()).toEqual(['carol: taken by alice 11'])
    floor.leave('alice')
    expect(sent()).toEqual(['bob: idle', 'carol: idle'])
  })

  test('who agrees on something else while speaking goes on speaking', () => {
    joinAll(false)
    request('alice')
    sent()
    floor.join('alice', { uri: 'alice', queueing: true, priority: 1 })
    expect(sent()).toEqual([])
    expect([...permitted]).toEqual(['alice'])
  })
})

describe('the longest burst is over', () => {
  function talkTooLong(): void {
    joinAll(false)
    request('alice')
    speakFor('alice', 29)
    sent()
    speakFor('alice', 1)
  }

  test('the speaker is told to stop every second, and still passes for three (T2, T8, T3)', () => {
    talkTooLong()
    expect(sent()).toEqual(['alice: revoke 2 3'])
    expect([...permitted]).toEqual(['alice'])
    speakFor('alice', 2)
    expect(sent()).toEqual(['alice: revoke 2 3', 'alice: revoke 2 3'])
    speakFor('alice', 1)
    expect(sent()).toContain('bob: idle')
    expect(permitted.size).toBe(0)
    clock.pass(60_000)
    expect(sent()).not.toContain('alice: revoke 2 3')
    expect(clock.pending).toBe(0)
  })

  test('who goes on all the same is told every second that it may not, also while another speaks', () => {
    talkTooLong()
    speakFor('alice', 3)
    request('bob')
    sent()
    for (let second = 0; second < 6; second++) {
      speak('bob')
      speak('alice')
      clock.pass(500)
      speak('alice')
      clock.pass(500)
    }
    expect(sent()).toEqual(Array(6).fill('alice: revoke 3 0'))
    expect([...permitted]).toEqual(['bob'])
    release('bob')
    clock.pass(60_000)
    expect(sent().filter((one) => one.includes('revoke'))).toEqual([])
    expect(clock.pending).toBe(0)
  })

  test('a release ends it at once', () => {
    talkTooLong()
    release('alice')
    expect(sent()).toContain('bob: idle')
    expect(permitted.size).toBe(0)
  })

  test('a request then hears the revoke again, that of another is denied', () => {
    talkTooLong()
    sent()
    request('alice')
    request('bob')
    expect(sent()).toEqual(['alice: revoke 2 3', 'bob: deny 1'])
  })

  test('who talked too long waits three seconds, others do not (T9)', () => {
    talkTooLong()
    release('alice')
    sent()
    request('alice')
    expect(sent()).toEqual(['alice: deny 4'])
    request('bob')
    expect(sent()).toContain('bob: granted 30s of 3')
    release('bob')
    clock.pass(3_000)
    sent()
    request('alice')
    expect(sent()).toContain('alice: granted 30s of 3')
  })
})

describe('with a queue', () => {
  test('requests wait with a position; the release gives the floor to the next', () => {
    joinAll(true)
    request('alice')
    sent()
    request('bob')
    request('carol')
    expect(sent()).toEqual(['bob: queue 1 1', 'bob: queue 1 1', 'carol: queue 1 2'])
    release('alice')
    expect(sent()).toEqual([
      'bob: granted 30s of 3',
      'alice: taken by bob 22',
      'carol: taken by bob 22',
      'carol: queue 1 1',
    ])
    expect([...permitted]).toEqual(['bob'])
  })

  test('a higher priority goes before a lower one, but no further than was agreed', () => {
    joinAll(true)
    request('alice')
    request('bob')
    sent()
    request('carol', 3)
    expect(sent()).toEqual(['bob: queue 1 2', 'carol: queue 2 1'])
    expect(floor.holder).toBe('alice')
  })

  test('a request that is repeated keeps its place', () => {
    joinAll(true)
    request('alice')
    request('bob')
    request('carol')
    request('bob')
    sent()
    floor.handle('bob', { type: 'queue-status-request', ssrc: 22 })
    expect(sent()).toEqual(['bob: queue 1 1'])
  })

  test('who does not wait has no position, and a release is the way out', () => {
    joinAll(true)
    request('alice')
    request('bob')
    release('bob')
    sent()
    floor.handle('bob', { type: 'queue-status-request', ssrc: 22 })
    expect(sent()).toEqual(['bob: queue 2 65535'])
    release('alice')
    expect(sent()).toContain('bob: idle')
  })

  test('who leaves does not wait any more', () => {
    joinAll(true)
    request('alice')
    request('bob')
    floor.leave('bob')
    release('alice')
    expect(floor.holder).toBeUndefined()
  })
})

describe('with a pre-emptive priority', () => {
  test('the speaker is told to stop, and the floor goes over', () => {
    joinAll(false, 3)
    request('alice', 2)
    sent()
    request('bob', 3)
    expect(sent()).toEqual(['alice: revoke 4 0'])
    release('alice')
    expect(sent()).toContain('bob: granted 30s of 3')
    release('bob')
    sent()
    request('alice')
    expect(sent()).toContain('alice: granted 30s of 3')
  })

  test('a speaker who does not listen is cut off', () => {
    joinAll(false, 3)
    request('alice')
    request('bob', 3)
    speakFor('alice', 3)
    expect(floor.holder).toBe('bob')
    expect([...permitted]).toEqual(['bob'])
  })

  test('one does not pre-empt another that has it', () => {
    joinAll(true, 3)
    request('alice', 3)
    sent()
    request('bob', 3)
    expect(sent()).toEqual(['bob: queue 3 1'])
  })
})

test('when the session is over nothing is left', () => {
  joinAll(true)
  request('alice')
  request('bob')
  sent()
  floor.close()
  clock.pass(60_000)
  request('carol')
  expect(sent()).toEqual([])
  expect(clock.pending).toBe(0)
})
