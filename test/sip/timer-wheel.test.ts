import { describe, expect, test } from 'vitest'
import type { TimerTarget } from '../../src/sip/timer-wheel.ts'
import { TimerWheel } from '../../src/sip/timer-wheel.ts'
import { FakeClock } from './fake-clock.ts'

class Recorder implements TimerTarget<string> {
  readonly fired: [string, number][] = []
  readonly #clock: FakeClock
  constructor(clock: FakeClock) {
    this.#clock = clock
  }
  onTimer(name: string): void {
    this.fired.push([name, this.#clock.now])
  }
}

describe('the timer wheel', () => {
  test('fires each timer once, at its time or up to a tick later, never before', () => {
    const clock = new FakeClock()
    const target = new Recorder(clock)
    for (const ms of [0, 1, 10, 15, 499, 500, 32_000]) clock.wheel.set(ms, target, String(ms))
    clock.advance(40_000)
    expect(target.fired.map(([name]) => name)).toEqual(['0', '1', '10', '15', '499', '500', '32000'])
    for (const [name, at] of target.fired) {
      expect(at).toBeGreaterThanOrEqual(Number(name))
      expect(at).toBeLessThanOrEqual(Number(name) + 20)
    }
    expect(clock.wheel.size).toBe(0)
  })

  test('carries timers that are longer than it goes round', () => {
    const clock = new FakeClock()
    const target = new Recorder(clock)
    clock.wheel.set(100_000, target, 'long')
    clock.wheel.set(100_000 % 40_960, target, 'same slot')
    clock.advance(99_990)
    expect(target.fired.map(([name]) => name)).toEqual(['same slot'])
    clock.advance(20)
    expect(target.fired.map(([name]) => name)).toEqual(['same slot', 'long'])
  })

  test('a cancelled timer does not fire, and may be cancelled again, also after it fired', () => {
    const clock = new FakeClock()
    const target = new Recorder(clock)
    const timer = clock.wheel.set(100, target, 'E')
    const other = clock.wheel.set(100, target, 'F')
    clock.wheel.cancel(timer)
    clock.wheel.cancel(timer)
    clock.wheel.cancel(undefined)
    clock.advance(200)
    clock.wheel.cancel(other)
    expect(target.fired.map(([name]) => name)).toEqual(['F'])
    expect(clock.wheel.size).toBe(0)
  })

  test('after a pause all that is due fires, in one turn', () => {
    const clock = new FakeClock()
    const target = new Recorder(clock)
    for (const ms of [50, 500, 30_000, 90_000, 200_000]) clock.wheel.set(ms, target, String(ms))
    clock.jump(100_000)
    expect(target.fired.map(([name]) => name).sort()).toEqual(['30000', '50', '500', '90000'])
    clock.jump(100_000)
    expect(target.fired).toHaveLength(5)
  })

  test('a timer may set and cancel others while it fires', () => {
    const clock = new FakeClock()
    const fired: string[] = []
    const sibling = { onTimer: () => fired.push('sibling') }
    const second = clock.wheel.set(100, sibling, 'x')
    const first = {
      onTimer: () => {
        fired.push('first')
        clock.wheel.cancel(second)
        clock.wheel.set(0, { onTimer: () => fired.push('next') }, 'x')
      },
    }
    clock.wheel.cancel(second)
    const before = clock.wheel.set(100, first, 'x')
    const after = clock.wheel.set(100, sibling, 'x')
    expect(before.due).toBe(after.due)
    clock.advance(120)
    expect(fired).toEqual(['first', 'sibling', 'next'])
  })

  test('a timer that throws does not stop the others', () => {
    const clock = new FakeClock()
    const target = new Recorder(clock)
    const faulty = {
      onTimer: () => {
        throw new Error('a bug')
      },
    }
    clock.wheel.set(50, faulty, 'x')
    clock.wheel.set(50, target, 'after')
    expect(() => clock.advance(60)).toThrow('a bug')
    clock.advance(20)
    expect(target.fired.map(([name]) => name)).toEqual(['after'])
  })

  test('wakes by itself on a real clock, and holds nothing when it is empty', async () => {
    const wheel = new TimerWheel(() => performance.now())
    const order: string[] = []
    const keepAlive = setInterval(() => {}, 1000)
    await new Promise<void>((resolve) => {
      wheel.set(60, { onTimer: () => resolve(void order.push('later')) }, 'x')
      wheel.set(20, { onTimer: () => order.push('sooner') }, 'x')
    })
    clearInterval(keepAlive)
    expect(order).toEqual(['sooner', 'later'])
    expect(wheel.size).toBe(0)
    wheel.set(60_000, { onTimer: () => {} }, 'x')
    wheel.close()
    expect(wheel.size).toBe(0)
  })
})
