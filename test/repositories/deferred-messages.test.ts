import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeEach, expect, test } from 'vitest'
import {
  type ClaimOptions,
  type DeferredKey,
  DeferredMessages,
} from '../../src/controllers/message/deferred-messages.ts'
import { PagerMessage } from '../../src/controllers/message/pager-message.ts'
import {
  type Commit,
  StoredMessages,
  storedMessage,
  type WaitingFor,
} from '../../src/controllers/message/stored-messages.ts'
import { Headers } from '../../src/protocols/sip/headers.ts'
import { SipRequest } from '../../src/protocols/sip/message.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'

const db: TestDatabase = await testDatabase()
afterAll(() => db.close())
beforeEach(async () => {
  await db.database.knex('deferred').delete()
  await db.database.knex('messages').delete()
})

const stored = new StoredMessages(db)
const queue = new DeferredMessages(db)
const day = 86_400_000
const now = Date.now()
let arrival = now * 1000

function message(callId: string = randomUUID(), body = Buffer.from(callId)): PagerMessage {
  const headers = new Headers([
    ['From', '<sip:alice@parley.test>;tag=a'],
    ['To', '<sip:bob@parley.test>'],
    ['Call-ID', callId],
    ['CSeq', '1 MESSAGE'],
  ])
  return new PagerMessage({
    request: new SipRequest('MESSAGE', 'sip:bob@parley.test', headers, body),
    sender: { aor: 'sip:alice@parley.test', trusted: false, anonymous: false },
    recipient: 'sip:bob@parley.test',
    arrived: ++arrival,
    newId: randomUUID,
    isLocal: () => true,
  })
}

const waitFor = (device: string, change: Partial<WaitingFor> = {}): WaitingFor => ({
  device,
  attempts: 0,
  nextAt: now + day,
  expiresAt: now + day,
  ...change,
})

function commitOf(
  devices: readonly (string | WaitingFor)[],
  options: { owner?: number; stored?: boolean; of?: PagerMessage } = {},
) {
  const { owner = 2, stored: isStored = false, of = message() } = options
  const waiting = devices.map((device) => (typeof device === 'string' ? waitFor(device) : device))
  return { message: storedMessage(of, owner, 'in', isStored), waiting } satisfies Commit
}

async function keep(...arguments_: Parameters<typeof commitOf>): Promise<PagerMessage> {
  const commit = commitOf(...arguments_)
  await stored.commit(commit)
  return commit.message.message
}

const claim = (device: string, change: Partial<ClaimOptions> = {}) =>
  queue.claim({ owner: 2, device, after: 0, dueBy: now, now, until: now + 1000, limit: 64, ...change })
const keysOf = ({ id, arrived }: PagerMessage, ...devices: string[]): DeferredKey[] =>
  devices.map((device) => ({ owner: 2, device, arrived, message: id }))
const messages = async () => Number((await db.database.knex('messages').count('* as n'))[0]?.n)
const rows = async () => Number((await db.database.knex('deferred').count('* as n'))[0]?.n)
const dashed = (id: string) => id.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')

test('messages and what waits for them are committed together, many callers at once', async () => {
  const results = await Promise.all(
    Array.from({ length: 500 }, (_, n) => stored.commit(commitOf(['a', ''], { owner: n }))),
  )
  expect(results).toEqual(Array(500).fill(true))
  expect([await messages(), await rows()]).toEqual([500, 1000])
})

test('a message known already changes nothing, in one batch or later', async () => {
  const again = () => commitOf([''], { of: message('same') })
  const results = await Promise.all([stored.commit(again()), stored.commit(again()), stored.commit(commitOf(['']))])
  expect(results).toEqual([true, false, true])
  expect(await stored.commit(again())).toBe(false)
  expect([await messages(), await rows()]).toEqual([2, 2])
})

test('the sender’s copy is a row of its own, and does not count for the recipient', async () => {
  const of = message('both')
  const commit = { ...commitOf([''], { of, stored: true }), copy: storedMessage(of, 1, 'out', true) }
  const results = await Promise.all([stored.commit(commit), stored.commit(commitOf([''])), stored.commit(commit)])
  expect(results).toEqual([true, true, false])
  expect([await messages(), await rows()]).toEqual([3, 2])
})

test('a device claims its own rows and those of anybody, oldest first, as one delivery each', async () => {
  const first = await keep(['', 'phone'])
  const second = await keep(['tablet'])
  const third = await keep([''])
  const fourth = await keep(['phone'])
  const claimed = await claim('phone')
  expect(claimed.map(({ message: id, devices }) => [id, [...devices].sort()])).toEqual([
    [dashed(first.id), ['', 'phone']],
    [dashed(third.id), ['']],
    [dashed(fourth.id), ['phone']],
  ])
  expect(claimed[0]?.request?.toString('latin1')).toContain(`Call-ID: ${first.request.headers.get('call-id')}`)
  expect(await claim('tablet')).toMatchObject([{ message: dashed(second.id) }])
})

test('what is claimed is nobody else’s until the lease is over', async () => {
  await keep([''])
  expect(await claim('phone')).toHaveLength(1)
  expect(await claim('phone')).toHaveLength(0)
  expect(await claim('tablet', { now: now + 999 })).toHaveLength(0)
  expect(await claim('tablet', { now: now + 1001, until: now + 2000 })).toHaveLength(1)
})

test('a device whose own row is to be tried later does not get the message by the row of anybody', async () => {
  const later = { device: 'phone', attempts: 1, nextAt: now + 5000, expiresAt: now + 100_000 }
  const kept = await keep([later, ''])
  expect(await claim('phone')).toHaveLength(0)
  expect(await claim('tablet')).toMatchObject([{ message: dashed(kept.id), devices: [''] }])
  expect(await claim('phone', { dueBy: now + 5000 })).toMatchObject([{ devices: ['phone'] }])
})

test('two who claim at once never get the same', async () => {
  await Promise.all(Array.from({ length: 100 }, () => stored.commit(commitOf(['']))))
  const claims = await Promise.all(['a', 'b', 'c', 'd'].map((device) => claim(device, { limit: 40 })))
  const ids = claims.flat().map(({ message: id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
})

test('a limit never parts the two rows of a message', async () => {
  for (let count = 0; count < 5; count++) await keep(['', 'phone'])
  for (let limit = 1; limit <= 4; limit++) {
    const claimed = await claim('phone', { limit, now: now + limit * 2000, until: now + limit * 2000 + 1000 })
    expect(claimed.every(({ devices }) => devices.length === 2)).toBe(true)
    expect(claimed.length).toBe(Math.ceil(limit / 2))
  }
})

test('with the last row that waits a message goes, unless it is stored', async () => {
  const alone = await keep([''])
  const shared = await keep(['phone', 'tablet'])
  const history = await keep([''], { stored: true })
  await queue.settle(keysOf(alone, ''))
  expect(await messages()).toBe(2)
  await queue.settle(keysOf(shared, 'phone'))
  expect(await messages()).toBe(2)
  await queue.settle(keysOf(shared, 'phone'))
  expect(await messages()).toBe(2)
  await queue.settle([...keysOf(shared, 'tablet'), ...keysOf(history, '')])
  expect([await messages(), await rows()]).toEqual([1, 0])
})

test('devices that settle one message at the same moment on two nodes leave nothing behind', async () => {
  const node = new DeferredMessages(db)
  const other = new DeferredMessages(db)
  for (let round = 0; round < 30; round++) {
    const shared = await keep(['phone', 'tablet'])
    await Promise.all([node.settle(keysOf(shared, 'phone')), other.settle(keysOf(shared, 'tablet'))])
  }
  const leftOver = [node, other].map((each) => each.takeLeftOver())
  if (leftOver.includes(true)) await stored.removeLeftOver()
  expect([await messages(), await rows()]).toEqual([0, 0])
  expect(node.takeLeftOver()).toBe(false)
})

test('what failed is due at its next time, and counts its attempts', async () => {
  const kept = await keep(['phone'])
  await claim('phone')
  const [key] = keysOf(kept, 'phone') as [DeferredKey]
  await queue.release([{ key, nextAt: now + 5000, attempted: true }])
  expect(await claim('phone')).toHaveLength(0)
  expect(await queue.due(now + 4999, 10)).toEqual([])
  expect(await queue.due(now + 5000, 10)).toEqual([{ owner: 2, device: 'phone' }])
  expect(await claim('phone', { dueBy: now + 5000, limit: 1 })).toMatchObject([{ attempts: 1 }])
})

test('a lease whose holder is gone is due', async () => {
  await keep(['phone', 'tablet'])
  await claim('phone')
  expect(await queue.due(now + 999, 10)).toEqual([])
  expect(await queue.due(now + 1001, 10)).toEqual([{ owner: 2, device: 'phone' }])
  await queue.endLeases()
  expect(await claim('phone')).toHaveLength(1)
})

test('with nobody there, what is due waits for its expiry', async () => {
  await keep([waitFor('phone', { nextAt: now - 1, attempts: 1 })])
  expect(await queue.due(now, 10)).toHaveLength(1)
  await queue.postpone(2, 'phone', now)
  expect(await queue.due(now, 10)).toHaveLength(0)
  expect(await claim('phone', { dueBy: now + day })).toHaveLength(1)
})

test('what has expired is claimed for giving up, its content where nobody has accepted it', async () => {
  const kept = await keep(['phone', ''])
  await keep(['phone'])
  await db.database
    .knex('deferred')
    .where({ message: kept.id })
    .update({ expires_at: new Date(now), next_at: new Date(now) })
  expect(await claim('phone')).toHaveLength(1)
  const expired = await queue.claimExpired(now, now + 1000, 10)
  expect(expired.map(({ device, request }) => [device, request === null]).sort()).toEqual([
    ['', false],
    ['phone', true],
  ])
  expect(await queue.claimExpired(now, now + 1000, 10)).toEqual([])
  await queue.settle(expired)
  expect(await messages()).toBe(1)
})

test('rows for a stored message are added once, however often it comes', async () => {
  const history = await keep([], { stored: true })
  await queue.add(2, history, [waitFor('phone'), waitFor('')], false)
  const again = message(history.request.headers.get('call-id'))
  await queue.add(2, again, [waitFor('phone'), waitFor(''), waitFor('tablet')], true)
  expect(await rows()).toBe(3)
})

test('the state of a message moves forward only, and a plain message is found by its Call-ID', async () => {
  const kept = await keep([''], { stored: true, of: message('the-call') })
  const of = {
    owners: [1, 2],
    firstId: kept.id.slice(0, 24).padEnd(32, '0'),
    lastId: kept.id.slice(0, 24).padEnd(32, 'f'),
  }
  expect(await stored.advance({ ...of, disposition: 3 })).toEqual([{ owner: 2, advanced: true }])
  expect(await stored.advance({ ...of, disposition: 3 })).toEqual([{ owner: 2, advanced: false }])
  expect(await stored.advance({ ...of, disposition: 5 })).toEqual([{ owner: 2, advanced: true }])
  expect(await stored.advance({ ...of, disposition: 1 })).toEqual([{ owner: 2, advanced: false }])
})

const large = (bytes = 3_000_000) => message(randomUUID(), randomBytes(bytes))

test('of a large message what is claimed names it only, and its content is asked for', async () => {
  const [big, small] = [large(), message()]
  await Promise.all([keep(['', 'phone'], { of: big }), keep(['phone'], { of: small })])
  const claimed = await claim('phone')
  expect(claimed.map(({ request }) => request === undefined)).toEqual([true, false])
  const request = await queue.requestOf(2, claimed[0]?.message ?? '')
  expect(request?.subarray(-big.request.body.length).equals(big.request.body)).toBe(true)
  await queue.settle(keysOf(big, '', 'phone'))
  expect(await queue.requestOf(2, big.id)).toBeUndefined()
})

test('a large message that has expired comes without its content', async () => {
  const big = await keep([''], { of: large() })
  await db.database.knex('deferred').update({ expires_at: new Date(now), next_at: new Date(now) })
  expect(await queue.claimExpired(now, now + 1000, 10)).toMatchObject([{ message: dashed(big.id), request: null }])
})

test('a large message that is known already changes nothing, and a copy for its sender is committed with it', async () => {
  const commit = { ...commitOf([''], { of: large() }) }
  const copy = storedMessage(commit.message.message, 1, 'out', true)
  const again = stored.commit({ ...commit, copy })
  expect([await again, await stored.commit({ ...commit, copy })]).toEqual([true, false])
  expect([await messages(), await rows()]).toEqual([2, 1])
})

test('who is still at it extends the lease; what is not leased stays as it is', async () => {
  const kept = await keep(['phone', 'tablet'])
  await claim('phone')
  await queue.extend(keysOf(kept, 'phone', 'tablet'), now + 60_000)
  expect(await queue.due(now + 59_000, 10)).toEqual([])
  expect(await claim('phone', { now: now + 59_000 })).toEqual([])
  expect(await claim('phone', { now: now + 60_001, until: now + 90_000 })).toHaveLength(1)
  expect(await claim('tablet')).toHaveLength(1)
})

test('a message tells for whom it waits', async () => {
  const kept = await keep(['phone', ''])
  expect((await queue.devicesWaiting(2, kept.id)).sort()).toEqual(['', 'phone'])
  await queue.settle(keysOf(kept, 'phone'))
  expect(await queue.devicesWaiting(2, kept.id)).toEqual([''])
})
