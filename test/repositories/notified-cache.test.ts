import { beforeEach, describe, expect, test } from 'vitest'
import { everything, NotifiedCache } from '../../src/database/notified-cache.ts'

interface Value {
  readonly version: number
}

let version: number
let reads: string[]
let trusted: boolean
let answer: (() => void) | undefined
let notify: (payload: string, own: boolean) => void
let lose: () => void
let cache: NotifiedCache<string, Value | null>

beforeEach(() => {
  version = 1
  reads = []
  trusted = true
  answer = undefined
  cache = new NotifiedCache({
    notifications: {
      listening: () => trusted,
      subscribe(_, listener, onLost) {
        notify = listener
        lose = onLost
        return () => {}
      },
    },
    channel: 'values',
    keysOf: (payload) => payload.split(' '),
    read: (key) => read(key),
    most: 3,
  })
})

async function read(key: string): Promise<Value | null> {
  reads.push(key)
  const found = key.startsWith('no') ? null : { version }
  if (key === 'slow') await new Promise<void>((resolve) => (answer = resolve))
  return found
}

describe('a cache that notifications keep true', () => {
  test('reads once, what is not there as well', async () => {
    expect(await cache.get('a')).toEqual({ version: 1 })
    expect(await cache.get('nobody')).toBeNull()
    expect(cache.get('a')).toEqual({ version: 1 })
    expect(cache.get('nobody')).toBeNull()
    expect(reads).toEqual(['a', 'nobody'])
  })

  test('asks once when many ask at the same time', async () => {
    const all = Promise.all([cache.get('slow'), cache.get('slow')])
    answer?.()
    expect(await all).toEqual([{ version: 1 }, { version: 1 }])
    expect(reads).toEqual(['slow'])
  })

  test('forgets what others have changed, not what this node has written itself', async () => {
    for (const key of ['a', 'b']) await cache.get(key)
    version = 2
    cache.set('b', { version: 2 })
    notify('b', true)
    notify('a', false)
    expect(cache.get('b')).toEqual({ version: 2 })
    expect(await cache.get('a')).toEqual({ version: 2 })
    notify(everything, false)
    expect(cache.size).toBe(0)
  })

  test('does not keep what changed while it was being read', async () => {
    const reading = cache.get('slow')
    version = 2
    notify('slow', false)
    answer?.()
    await reading
    expect(cache.peek('slow')).toBeUndefined()
  })

  test('does not let an old reading hide what was written meanwhile', async () => {
    const reading = cache.get('slow')
    cache.set('slow', { version: 2 })
    answer?.()
    await reading
    expect(cache.get('slow')).toEqual({ version: 2 })
  })

  test('keeps nothing while it does not hear', async () => {
    await cache.get('a')
    trusted = false
    lose()
    cache.set('b', { version: 9 })
    expect(await cache.get('a')).toEqual({ version: 1 })
    expect(await cache.get('a')).toEqual({ version: 1 })
    expect(cache.get('b')).toBeInstanceOf(Promise)
    expect(cache.size).toBe(0)
  })

  test('holds two generations at most, and keeps what is asked for', async () => {
    for (let n = 0; n < 50; n++) {
      await cache.get(`k${n}`)
      await cache.get('often')
    }
    expect(cache.size).toBeLessThanOrEqual(6)
    expect(reads.filter((key) => key === 'often')).toHaveLength(1)
  })

  test('reads again what failed to be read', async () => {
    const failing = new NotifiedCache<string, Value>({
      notifications: { listening: () => true, subscribe: () => () => {} },
      channel: 'values',
      keysOf: () => [],
      read: () => (reads.push('x') === 1 ? Promise.reject(new Error('away')) : Promise.resolve({ version })),
      most: 3,
    })
    await expect(failing.get('x')).rejects.toThrow('away')
    expect(await failing.get('x')).toEqual({ version: 1 })
  })
})
