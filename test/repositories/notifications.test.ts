import { expect, test } from 'vitest'
import { type Database, openDatabase } from '../../src/database/index.ts'
import { testDatabase } from '../support/database.ts'
import { quiet } from '../support/quiet-log.ts'

interface Heard {
  readonly payloads: string[]
  lost: number
}

/** Resolves when the channel is listened to. */
async function listen(database: Database, channel: string): Promise<Heard & { unsubscribe(): void }> {
  const heard = { payloads: [] as string[], lost: 0, unsubscribe() {} }
  const count = () => {
    heard.lost += 1
  }
  heard.unsubscribe = database.notifications.subscribe(
    channel,
    (payload, own) => heard.payloads.push(own ? `own ${payload}` : payload),
    count,
  )
  await expect.poll(() => database.notifications.listening(channel)).toBe(true)
  heard.lost = 0
  return heard
}

const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()`

test('what one node publishes every node hears, once', async () => {
  await using db = await testDatabase()
  const other = await openDatabase({ url: db.url }, quiet)
  const [here, there] = [await listen(db.database, 'bindings'), await listen(other, 'bindings')]
  for (const payload of ['7', '7', '8', '']) db.database.notifications.publish('bindings', payload)
  await expect.poll(() => there.payloads).toEqual(['7', '8', ''])
  await expect.poll(() => here.payloads).toEqual(['own 7', 'own 8', 'own '])
  await other.close()
})

test('channels are apart, and who has unsubscribed hears no more', async () => {
  await using db = await testDatabase()
  const [one, two] = [await listen(db.database, 'One'), await listen(db.database, 'two')]
  db.database.notifications.publish('One', 'a')
  db.database.notifications.publish('two', 'b')
  await expect.poll(() => [one.payloads, two.payloads]).toEqual([['own a'], ['own b']])
  one.unsubscribe()
  db.database.notifications.publish('One', 'c')
  db.database.notifications.publish('two', 'd')
  await expect.poll(() => two.payloads).toEqual(['own b', 'own d'])
  expect(one.payloads).toEqual(['own a'])
})

test('a lost connection is told, made again, and told again, because something may have been missed between', async () => {
  await using db = await testDatabase()
  const heard = await listen(db.database, 'bindings')
  await db.database.knex.raw(cut)
  await expect.poll(() => heard.lost).toBe(2)
  expect(db.database.notifications.listening('bindings')).toBe(true)
  db.database.notifications.publish('bindings', '9')
  await expect.poll(() => heard.payloads).toEqual(['own 9'])
})

test('what is published just before closing is sent', async () => {
  await using db = await testDatabase()
  const other = await openDatabase({ url: db.url }, quiet)
  const heard = await listen(db.database, 'bindings')
  other.notifications.publish('bindings', 'last')
  await other.close()
  await expect.poll(() => heard.payloads).toEqual(['last'])
})

test('more than can be kept comes as one word that something was missed', async () => {
  await using db = await testDatabase()
  const heard = await listen(db.database, 'bindings')
  for (let n = 0; n <= 10_000; n += 1) db.database.notifications.publish('bindings', String(n))
  await expect.poll(() => heard.lost).toBe(1)
  expect(heard.payloads).toEqual([])
})

test('a payload that Postgres would refuse is the mistake of its publisher', async () => {
  await using db = await testDatabase()
  expect(() => db.database.notifications.publish('bindings', 'x'.repeat(8000))).toThrow(RangeError)
})
