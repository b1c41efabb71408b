import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CallbackReceiver } from '../support/callback-receiver.ts'
import { sendCpm } from '../support/cpim-text.ts'
import { eventually } from '../support/eventually.ts'
import { NmsMirror, readAll } from '../support/nms-mirror.ts'
import { NmsUser } from '../support/nms-user.ts'
import type { Phone } from '../support/phone.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { type Flags, SyncedDevice } from '../support/synced-device.ts'

const settings = {
  'storage.default': 'always',
  'devices.interval': '100ms',
  'storage.notifications.callbackTo': '127.0.0.1',
}

let server: TestServer
let alice: Phone
/** Of bob, as the REST client and as the receiver of its notifications. */
let rest: NmsUser
let mirror: NmsMirror
/** What there was before it had a subscription. */
let before: Awaited<ReturnType<typeof readAll>>
let receiver: CallbackReceiver
let devices: readonly [SyncedDevice, SyncedDevice]
beforeAll(async () => {
  server = await startServer({ settings })
  alice = await server.online('alice')
  rest = await NmsUser.of(server, 'bob')
  receiver = await CallbackReceiver.open()
  before = await readAll(rest)
  const callbackReference = { notifyURL: receiver.url(), notificationFormat: 'JSON' }
  const made = await rest.json('POST', '/subscriptions', { nmsSubscription: { callbackReference } })
  expect(made.status, made.text).toBe(201)
  mirror = new NmsMirror(rest, made.body)
  const all = [await SyncedDevice.register(server, 'bob', 1), await SyncedDevice.register(server, 'bob', 2)] as const
  // Who is new may be told to ask the store; from then on, what has changed.
  await eventually(async () => expect(await server.query('select 1 from device_cursors')).toHaveLength(2))
  devices = all
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await receiver[Symbol.asyncDispose]()
})

/** What the server has of bob, by imdn.Message-ID. */
async function stored(): Promise<Flags> {
  const rows = await server.query(
    `select m.correlation_id as id, m.flags from messages m join subscribers s on s.id = m.owner
     where s.username = 'bob' and m.kind = 'message' and m.folder is not null order by m.correlation_id collate "C"`,
  )
  return Object.fromEntries(rows.map(({ id, flags }) => [id, [...(flags as string[])].sort()]))
}

/** Resolves once the devices and the REST client know just what the server has. */
async function inStep(): Promise<void> {
  await eventually(async () => {
    for (const { list } of receiver.received.splice(0)) await mirror.take(list)
    const truth = await stored()
    for (const device of devices) device.askIfTold(truth)
    for (const { state } of devices) expect(state).toEqual(truth)
    expect({ ...before, ...mirror.state }).toEqual(await readAll(rest))
  })
}

async function urlOf(id: string): Promise<string> {
  const [row] = await server.query(
    `select m.id from messages m join subscribers s on s.id = m.owner where s.username = 'bob' and m.correlation_id = '${id}'`,
  )
  return `/objects/${row?.id}`
}

const flags = ['\\Seen', '\\Flagged'] as const
const onFlags = { flag: fc.constantFrom(...flags), name: fc.constantFrom('add' as const, 'remove' as const) }
const device = fc.constantFrom(0 as const, 1 as const)
/** Each change is to the message at `at`, of those that there are. */
const change = fc.oneof(
  fc.record({ by: fc.constant('alice' as const) }),
  fc.record({ by: fc.constant('sent' as const), device }),
  fc.record({ by: fc.constant('device' as const), device, at: fc.nat(), ...onFlags }),
  fc.record({ by: fc.constant('display' as const), device, at: fc.nat() }),
  fc.record({ by: fc.constant('rest' as const), at: fc.nat(), ...onFlags }),
  fc.record({ by: fc.constant('deletion' as const), at: fc.nat(), through: fc.constantFrom('rest', 'device') }),
)
type Change = typeof change extends fc.Arbitrary<infer Of> ? Of : never

async function make(one: Change, id: string): Promise<void> {
  if (one.by === 'alice') {
    expect((await sendCpm(alice, server.aor('bob'), 'hello', { id: randomUUID(), want: 'display' })).status).toBe(200)
  } else if (one.by === 'sent') await devices[one.device].send(alice.aor, randomUUID())
  else if (id === '') return
  else if (one.by === 'device') await devices[one.device].flag(one.name, one.flag, id)
  else if (one.by === 'display') await devices[one.device].display(id)
  else if (one.by === 'rest') await byRest(one.name, one.flag, id)
  else if (one.through === 'device') await devices[0].flag('add', '\\Deleted', id)
  else expect((await rest.json('DELETE', await urlOf(id))).status).toBe(204)
}

async function byRest(name: 'add' | 'remove', flag: string, id: string): Promise<void> {
  const path = `${await urlOf(id)}/flags/${encodeURIComponent(flag)}`
  const { status, text } = await rest.json(name === 'add' ? 'PUT' : 'DELETE', path)
  expect(status < 300 || status === 404, text).toBe(true)
}

/** All at once, each to a message of its own. */
async function makeTogether(changes: readonly Change[]): Promise<void> {
  const ids = Object.keys(await stored())
  const making: Promise<void>[] = []
  for (const one of changes) {
    const at = 'at' in one && ids.length > 0 ? one.at % ids.length : -1
    making.push(make(one, at === -1 ? '' : (ids.splice(at, 1)[0] ?? '')))
  }
  await Promise.all(making)
}

test('two devices and a REST client are in step with the store after any changes through all doors', async () => {
  const rounds = fc.array(fc.array(change, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 })
  const property = async (all: readonly (readonly Change[])[]) => {
    for (const changes of all) {
      await makeTogether(changes)
      await inStep()
    }
  }
  await fc.assert(fc.asyncProperty(rounds, property), {
    numRuns: 12,
    interruptAfterTimeLimit: 40_000,
    endOnFailure: true,
  })
  expect(Object.keys(await stored()).length).toBeGreaterThan(0)
  expect(devices.map(({ asked }) => asked <= 1)).toEqual([true, true])
})

test('clients that change one flag at once all see the same end state', async () => {
  const id = randomUUID()
  await sendCpm(alice, server.aor('bob'), 'whose flag is it?', { id })
  await inStep()
  for (let round = 0; round < 10; round++) {
    await Promise.all([
      devices[0].flag('add', '\\Flagged', id),
      devices[1].flag('remove', '\\Flagged', id),
      byRest(round % 2 === 0 ? 'add' : 'remove', '\\Flagged', id),
    ])
    await inStep()
  }
})
