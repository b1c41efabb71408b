import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../src/database/index.ts'
import { Binding, Bindings } from '../../src/signalling/registrar/index.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { listening } from '../support/listening.ts'
import { quiet } from '../support/quiet-log.ts'

const day = 86_400_000
let tables: TestDatabase
let bindings: Bindings
let clock = Date.now()
let owners = 0

const open = (database = tables.database) =>
  new Bindings({ database, now: () => clock, rememberMs: 7 * day, log: quiet })

beforeAll(async () => {
  tables = await testDatabase()
  bindings = open()
  await listening(tables.database, 'bindings')
})

afterAll(async () => {
  await bindings.close()
  await tables.close()
})

function binding(owner: number, fields: Partial<Binding> = {}): Binding {
  const contact = fields.contact ?? 'sip:alice@10.0.0.2:5070'
  return new Binding({
    owner,
    key: contact,
    device: contact,
    hasInstance: false,
    regId: 0,
    aor: 'sip:alice@parley.test',
    contact,
    params: ';+g.oma.sip-im;methods="MESSAGE"',
    path: [],
    callId: 'c1',
    cseq: 1,
    q: 1000,
    userAgent: 'phone/1',
    transport: 'udp',
    flow: 'udp/1',
    address: '10.0.0.2',
    port: 5070,
    registeredAt: clock,
    expiresAt: clock + 3600_000,
    ...fields,
  })
}

const put = (...made: Binding[]) => bindings.change(made[0]?.owner ?? 0, () => ({ put: made, remove: [] }))
const phone = (owner: number, fields: Partial<Binding> = {}) =>
  binding(owner, { device: 'urn:uuid:1', key: 'urn:uuid:1 1', hasInstance: true, regId: 1, ...fields })
/** As a node that has just started sees it. */
async function afterRestart(owner: number): Promise<readonly Binding[]> {
  const fresh = open()
  const found = await fresh.of(owner)
  await fresh.close()
  return found
}

describe('bindings', () => {
  test('what was bound is there after a restart, with all its fields', async () => {
    const made = phone(++owners, { path: ['<sip:edge.test;lr>', '<sip:10.0.0.9;lr;ob>'], q: 300, cseq: 2 ** 31 - 1 })
    const { bindings: live } = await put(made)
    expect(live).toEqual([made])
    const [found] = await afterRestart(owners)
    expect(found?.fields()).toEqual(made.fields())
    expect(found?.features.get('+sip.instance')).toBe('"<urn:uuid:1>"')
    expect(found?.features.get('+g.oma.sip-im')).toBeUndefined()
    expect(found?.features.has('+g.oma.sip-im')).toBe(true)
  })

  test('once known, bindings are answered without a promise', async () => {
    await put(binding(++owners))
    expect(bindings.of(owners)).toHaveLength(1)
    const nobody = ++owners
    expect(await bindings.of(nobody)).toEqual([])
    expect(bindings.of(nobody)).toEqual([])
  })

  test('the preferred contact comes first, of equals the latest', async () => {
    const owner = ++owners
    await put(binding(owner, { contact: 'sip:low@h', key: 'low', q: 200 }))
    await put(binding(owner, { contact: 'sip:old@h', key: 'old' }))
    await put(binding(owner, { contact: 'sip:new@h', key: 'new', registeredAt: clock + 1 }))
    const order = ['new', 'old', 'low']
    expect((await bindings.of(owner)).map(({ key }) => key)).toEqual(order)
    expect((await afterRestart(owner)).map(({ key }) => key)).toEqual(order)
  })

  test('an expired binding is gone, but its device is remembered for days, then forgotten', async () => {
    const owner = ++owners
    await put(phone(owner), binding(owner))
    clock += 3601_000
    expect(bindings.of(owner)).toEqual([])
    expect(bindings.devicesKnown(owner)).toEqual(['urn:uuid:1'])
    await bindings.sweep()
    expect(await rowsOf(owner)).toEqual(['urn:uuid:1 1'])
    clock += 8 * day
    await bindings.sweep()
    expect(await rowsOf(owner)).toEqual([])
  })

  test('a device that signs off is still known; one without an instance is not', async () => {
    const owner = ++owners
    await put(phone(owner), binding(owner))
    await bindings.change(owner, (live) => ({ put: [], remove: live }))
    expect(bindings.of(owner)).toEqual([])
    expect(await afterRestart(owner)).toEqual([])
    expect(bindings.devicesKnown(owner)).toEqual(['urn:uuid:1'])
    await bindings.sweep()
    expect(await rowsOf(owner)).toEqual(['urn:uuid:1 1'])
  })

  test('of devices that come and go only the latest are remembered', async () => {
    const owner = ++owners
    for (let n = 0; n < 20; n++) {
      await put(phone(owner, { device: `urn:${n}`, key: `urn:${n} 1`, registeredAt: clock + n }))
      await bindings.change(owner, (live) => ({ put: [], remove: live }))
    }
    const known = await bindings.devicesKnown(owner)
    expect(known).toHaveLength(16)
    expect(known).toContain('urn:19')
    await bindings.sweep()
    expect(await rowsOf(owner)).toHaveLength(16)
  })

  test('whoever registers is told whether messages wait', async () => {
    const owner = ++owners
    expect((await put(binding(owner))).waiting).toBe(false)
    await wait(owner)
    expect((await put(binding(owner, { cseq: 2 }))).waiting).toBe(true)
  })

  test('a thousand changes at once all arrive, those of one owner in turn', async () => {
    const first = owners + 1
    owners += 500
    const changes = Array.from({ length: 1000 }, (_, n) => put(binding(first + (n % 500), { cseq: n + 1 })))
    await Promise.all(changes)
    for (let owner = first; owner < first + 500; owner++) {
      expect(await bindings.of(owner)).toMatchObject([{ cseq: owner - first + 501 }])
    }
    expect(await afterRestart(first)).toMatchObject([{ cseq: 501 }])
  })

  test('a row that is wrong fails alone', async () => {
    const [good, bad] = [++owners, ++owners]
    const results = await Promise.allSettled([put(binding(good)), put(binding(bad, { userAgent: 'a\0b' }))])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(await bindings.of(good)).toHaveLength(1)
    expect(await bindings.of(bad)).toEqual([])
  })

  test('a binding that is dropped leads nowhere any more', async () => {
    const owner = ++owners
    await put(binding(owner), phone(owner))
    await bindings.drop(owner, 'sip:alice@10.0.0.2:5070')
    expect(bindings.of(owner)).toMatchObject([{ device: 'urn:uuid:1' }])
    await bindings.drop(owner, 'no such key')
    expect(await afterRestart(owner)).toHaveLength(1)
  })
})

describe('when a stream closes', () => {
  const closed = async (made: Binding): Promise<readonly Binding[]> => {
    await put(made)
    bindings.flowClosed(made.flow)
    const now = await bindings.change(made.owner, () => ({ put: [], remove: [] }))
    expect((await afterRestart(made.owner)).map(({ flow }) => flow)).toEqual(now.bindings.map(({ flow }) => flow))
    return now.bindings
  }
  const tcp = { transport: 'tcp', contact: 'sip:alice@10.0.0.2:5070;transport=tcp' }

  test('an outbound binding is dropped, and its device still known', async () => {
    const owner = ++owners
    expect(await closed(phone(owner, { ...tcp, flow: 'tcp/1' }))).toEqual([])
    expect(bindings.devicesKnown(owner)).toEqual(['urn:uuid:1'])
  })

  test('a contact that may be reached by itself stays, without its flow', async () => {
    expect(await closed(binding(++owners, { ...tcp, flow: 'tcp/2' }))).toMatchObject([{ flow: '', ...tcp }])
  })

  test.each([
    ['behind a NAT', { ...tcp, contact: 'sip:alice@192.168.1.7;transport=tcp' }],
    ['that never listens', { transport: 'wss', contact: 'sip:alice@abc123.invalid;transport=ws' }],
  ])('a contact %s is dropped', async (_, fields) => {
    expect(await closed(binding(++owners, { ...fields, flow: 'stream/3' }))).toEqual([])
  })

  test('a device that has registered anew over another flow stays', async () => {
    const owner = ++owners
    await put(phone(owner, { ...tcp, flow: 'tcp/old' }))
    await put(phone(owner, { ...tcp, flow: 'tcp/new', cseq: 2 }))
    bindings.flowClosed('tcp/old')
    await bindings.change(owner, () => ({ put: [], remove: [] }))
    expect(bindings.of(owner)).toMatchObject([{ flow: 'tcp/new' }])
  })

  test('all bindings of a stream that many share go', async () => {
    const first = owners + 1
    for (let n = 0; n < 20; n++) await put(phone(++owners, { ...tcp, flow: 'tcp/shared' }))
    bindings.flowClosed('tcp/shared')
    for (let owner = first; owner <= owners; owner++) {
      await bindings.change(owner, () => ({ put: [], remove: [] }))
      expect(bindings.of(owner)).toEqual([])
    }
  })
})

test('another node learns of a binding, of its refresh and of its end', async () => {
  const elsewhere = await openDatabase({ url: tables.url }, quiet)
  const other = open(elsewhere)
  await listening(elsewhere, 'bindings')
  const owner = ++owners
  expect(await other.of(owner)).toEqual([])
  await put(binding(owner))
  await expect.poll(() => other.of(owner)).toHaveLength(1)
  await put(binding(owner, { cseq: 2 }))
  await expect.poll(() => other.of(owner)).toMatchObject([{ cseq: 2 }])
  await bindings.drop(owner, 'sip:alice@10.0.0.2:5070')
  await expect.poll(() => other.of(owner)).toEqual([])
  await other.close()
  await elsewhere.close()
})

test('a node that hears nothing trusts nothing', async () => {
  const deaf = await openDatabase({ url: tables.url }, quiet)
  const other = open(deaf)
  await listening(deaf, 'bindings')
  const owner = ++owners
  await other.of(owner)
  expect(other.of(owner)).toEqual([])
  await tables.database.knex.raw(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where query ilike 'listen%' and datname = current_database() and pid <> pg_backend_pid()`,
  )
  await expect.poll(() => other.of(owner) instanceof Promise).toBe(true)
  await other.close()
  await deaf.close()
})

async function rowsOf(owner: number): Promise<string[]> {
  const rows = await tables.database.knex('bindings').where({ owner }).orderBy('key').select('key')
  return rows.map(({ key }) => key)
}

async function wait(owner: number): Promise<void> {
  const soon = new Date(clock + day)
  const message = { message: randomUUID(), device: '', arrived: 1, attempts: 0, next_at: soon, expires_at: soon }
  await tables.database.knex('deferred').insert({ owner, ...message })
}
