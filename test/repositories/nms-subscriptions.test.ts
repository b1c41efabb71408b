import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Mailboxes } from '../../src/enablers/message-store/index.ts'
import { NmsSubscriptions } from '../../src/enablers/message-store/rest/subscriptions/nms-subscriptions.ts'
import { NotificationSource } from '../../src/enablers/message-store/rest/subscriptions/notification-source.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { anObject, mailboxesOn } from '../support/mailbox.ts'

let tables: TestDatabase
let mailboxes: Mailboxes
let subscriptions: NmsSubscriptions
let source: NotificationSource
let owners = 100

beforeAll(async () => {
  tables = await testDatabase()
  mailboxes = mailboxesOn(tables)
  subscriptions = new NmsSubscriptions(tables.database, 5)
  source = new NotificationSource({ mailboxes, subscriptions })
})
afterAll(async () => {
  mailboxes.close()
  await tables.close()
})

async function subscribed(owner: number) {
  const at = await mailboxes.state(owner)
  const { subscription } = await subscriptions.add(owner, {
    identity: 'sip:alice@parley.test',
    base: 'http://localhost/nms/v1/parley/acr%3Aauth',
    notifyUrl: 'http://localhost/notify',
    callbackData: undefined,
    format: 'json',
    filter: undefined,
    correlator: undefined,
    channel: undefined,
    duration: 60,
    born: at.modseq,
    at,
  })
  return subscription
}
const claimOne = async (owner: number) => (await subscriptions.claim([owner], 10))[0]
const lapse = () => tables.database.knex.raw(`update nms_subscriptions set leased_until = '-infinity'`)

test('a subscription with something to tell is given to one node, until its lease ends', async () => {
  const owner = owners++
  const { id } = await subscribed(owner)
  expect(await claimOne(owner)).toBeUndefined()
  await mailboxes.create(owner, anObject())
  const [one, two] = await Promise.all([claimOne(owner), claimOne(owner)])
  expect([one?.id, two?.id].filter((each) => each !== undefined)).toEqual([id])
  await lapse()
  expect((await claimOne(owner))?.id).toBe(id)
})

test('a node that was too slow changes nothing any more', async () => {
  const owner = owners++
  await subscribed(owner)
  await mailboxes.create(owner, anObject())
  const slow = await claimOne(owner)
  const first = slow && (await source.next(slow))
  await lapse()
  const quick = await claimOne(owner)
  expect(first && (await source.next(first.subscription))).toBeUndefined()
  const again = quick && (await source.next(quick))
  if (first === undefined || again === undefined) throw new Error('nothing to tell')
  expect(again.list).toEqual(first.list)
  expect(await subscriptions.advance(again.subscription, again.at, true)).toMatchObject({
    index: 2,
    pending: undefined,
  })
  expect(await subscriptions.advance(first.subscription, first.at, true)).toBeUndefined()
  await subscriptions.release(first.subscription)
  await mailboxes.create(owner, anObject())
  expect(await claimOne(owner)).toBeUndefined() // the lease is that of the quick one
})

test('what is sent again under its index tells of nothing that came later', async () => {
  const owner = owners++
  await subscribed(owner)
  const one = await mailboxes.create(owner, anObject({ peer: 'tel:+15550111' }))
  const two = await mailboxes.create(owner, anObject({ peer: 'tel:+15550111' }))
  const leased = await claimOne(owner)
  const first = leased && (await source.next(leased))
  await mailboxes.change(owner, [one.id], { add: ['\\Seen'] })
  const three = await mailboxes.create(owner, anObject({ peer: 'tel:+15550111' }))
  const again = first && (await source.next(first.subscription))
  const texts = [first, again].map((each) => JSON.stringify(each?.list))
  expect([one, two, three].map(({ id }) => texts[0]?.includes(id))).toEqual([true, true, false])
  expect([one, two, three].map(({ id }) => texts[1]?.includes(id))).toEqual([false, true, false])
  expect([again?.list.index, again?.list.restartToken]).toEqual([first?.list.index, first?.list.restartToken])
  const advanced = again && (await subscriptions.advance(again.subscription, again.at, true))
  const next = advanced && (await source.next(advanced))
  const text = JSON.stringify(next?.list)
  expect(next?.list.index).toBe(2)
  expect([one, two, three].map(({ id }) => text.includes(id))).toEqual([true, false, true])
})

test('what is under way when the client begins again is void, and its index is not used again', async () => {
  const owner = owners++
  const subscription = await subscribed(owner)
  await mailboxes.create(owner, anObject())
  const leased = await claimOne(owner)
  const first = leased && (await source.next(leased))
  if (first === undefined) throw new Error('nothing to tell')
  const updated = await subscriptions.update(owner, subscription.id, { duration: 60, at: subscription.at })
  expect(updated).toMatchObject({ index: 2, at: subscription.at, pending: undefined })
  expect(await subscriptions.advance(first.subscription, first.at, true)).toBeUndefined()
  const again = await source.again(first.subscription)
  expect((again && (await source.next(again)))?.list).toMatchObject({ index: 2, nmsEvent: first.list.nmsEvent })
})

test('a reset has an index of its own, whatever was under way', async () => {
  const owner = owners++
  await subscribed(owner)
  await mailboxes.create(owner, anObject())
  const leased = await claimOne(owner)
  const first = leased && (await source.next(leased))
  await mailboxes.reset(owner)
  const second = first && (await source.next(first.subscription))
  expect(second?.list).toMatchObject({ index: 2, nmsEvent: [{ resetBox: {} }] })
})

test('many changes come in several notifications, each of a bounded size, and none is missing', async () => {
  const owner = owners++
  await subscribed(owner)
  const made = await mailboxes.createMany(
    owner,
    Array.from({ length: 250 }, () => anObject({ peer: 'tel:+15550222' })),
  )
  let leased = await claimOne(owner)
  const told: string[] = []
  for (
    let next = leased && (await source.next(leased));
    next !== undefined;
    next = leased && (await source.next(leased))
  ) {
    expect(next.list.nmsEvent?.length).toBeLessThanOrEqual(100)
    told.push(...(next.list.nmsEvent ?? []).flatMap(({ changedObject }) => changedObject?.resourceURL.slice(-36) ?? []))
    leased = await subscriptions.advance(next.subscription, next.at, true)
  }
  expect(told.sort()).toEqual(made.map((one) => ('id' in one ? one.id : '')).sort())
})

test('what has expired is removed, channels with the subscriptions that use them', async () => {
  const owner = owners++
  const { id } = await subscribed(owner)
  const channel = '11111111-1111-4111-8111-111111111111'
  await tables.database.knex.raw(`insert into nms_channels values (?, ?, null, null, 1, now())`, [owner, channel])
  await tables.database.knex.raw('update nms_subscriptions set channel = ? where id = ?', [channel, id])
  await subscriptions.sweep()
  expect(await subscriptions.list(owner)).toEqual([])
  const { id: other } = await subscribed(owner)
  await tables.database.knex.raw('update nms_subscriptions set expires_at = now() where id = ?', [other])
  expect(await subscriptions.find(owner, other)).toBeUndefined()
  await subscriptions.sweep()
  expect((await tables.database.knex.raw('select 1 from nms_subscriptions where id = ?', [other])).rows).toEqual([])
})
