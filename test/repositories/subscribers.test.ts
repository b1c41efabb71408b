import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../src/database/index.ts'
import { Failure } from '../../src/failure.ts'
import { ha1 } from '../../src/protocols/sip/digest.ts'
import { Subscribers } from '../../src/signalling/subscribers/index.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { listening } from '../support/listening.ts'
import { quiet } from '../support/quiet-log.ts'

const domain = 'parley.test'
let tables: TestDatabase
let subscribers: Subscribers

beforeAll(async () => {
  tables = await testDatabase()
  subscribers = new Subscribers({ database: tables.database, domain, realm: domain })
  await listening(tables.database, 'subscribers')
})

afterAll(async () => {
  subscribers.close()
  await tables.close()
})

describe('the directory', () => {
  test('a user is found by every spelling of their addresses', async () => {
    const alice = await subscribers.add({
      uri: 'sip:alice@Parley.test',
      password: 'secret',
      tel: '+1-555-0001',
      name: 'Alice',
    })
    expect(alice.identities).toEqual(['sip:alice@parley.test', 'tel:+15550001', 'sip:+15550001@parley.test'])
    for (const aor of alice.identities) expect(await subscribers.find(aor)).toEqual(alice)
    expect(await subscribers.byId(alice.id)).toEqual(alice)
    expect(await subscribers.find('sip:nobody@parley.test')).toBeUndefined()
  })

  test('a user whose address is a number is found by tel: as well', async () => {
    const user = await subscribers.add({ uri: 'sip:+1-555-0100@parley.test;user=phone', password: 'x' })
    expect(user.identities).toEqual(['sip:+15550100@parley.test', 'tel:+15550100'])
    expect(user.username).toBe('+15550100')
  })

  test('what was asked for once is answered without a promise, also for people who do not exist', async () => {
    await subscribers.add({ uri: 'sip:cached@parley.test', password: 'x' })
    expect(subscribers.find('sip:cached@parley.test')).toBeInstanceOf(Promise)
    await subscribers.find('sip:cached@parley.test')
    expect(subscribers.find('sip:cached@parley.test')).toMatchObject({ username: 'cached' })
    await subscribers.find('sip:absent@parley.test')
    expect(subscribers.find('sip:absent@parley.test')).toBeUndefined()
    await subscribers.credentials('absent')
    expect(subscribers.credentials('absent')).toBeUndefined()
  })

  test('both names of a user prove with both algorithms, and the password is kept nowhere', async () => {
    await subscribers.add({ uri: 'sip:carol@parley.test', password: 'open sesame' })
    for (const username of ['carol', 'carol@parley.test']) {
      expect(await subscribers.credentials(username)).toMatchObject({
        md5: ha1('MD5', username, domain, 'open sesame'),
        sha256: ha1('SHA-256', username, domain, 'open sesame'),
      })
    }
    const { rows } = await tables.database.knex.raw('select row_to_json(c)::text as row from credentials c')
    expect(JSON.stringify(rows)).not.toContain('sesame')
  })

  test('an address, a number or a name that is taken is a conflict that says which', async () => {
    await subscribers.add({ uri: 'sip:dave@parley.test', password: 'x', tel: '+15550004' })
    const again = subscribers.add({ uri: 'sip:dave@parley.test', password: 'y' })
    await expect(again).rejects.toMatchObject({ condition: 'conflict' })
    const sameNumber = subscribers.add({
      uri: 'sip:david@parley.test',
      password: 'y',
      tel: '+1 555 0004'.replaceAll(' ', ''),
    })
    await expect(sameNumber).rejects.toThrow('tel:+15550004')
    expect(await subscribers.find('sip:david@parley.test')).toBeUndefined()
  })

  test.each([
    ['a foreign domain', { uri: 'sip:eve@other.test', password: 'x' }],
    ['no address', { uri: 'eve', password: 'x' }],
    ['a number that is not global', { uri: 'sip:eve@parley.test', password: 'x', tel: '5550001' }],
    ['an empty password', { uri: 'sip:eve@parley.test', password: '' }],
  ])('%s is refused', async (_, user) => {
    await expect(subscribers.add(user)).rejects.toBeInstanceOf(Failure)
    expect(await subscribers.find('sip:eve@parley.test')).toBeUndefined()
  })

  test('a new password counts at once, the old one no more', async () => {
    await subscribers.add({ uri: 'sip:frank@parley.test', password: 'old' })
    await subscribers.credentials('frank')
    await subscribers.setPassword('sip:frank@parley.test', 'new')
    expect(await subscribers.credentials('frank')).toMatchObject({ md5: ha1('MD5', 'frank', domain, 'new') })
  })

  test('a removed user is gone, with what was theirs', async () => {
    const gina = await subscribers.add({ uri: 'sip:gina@parley.test', password: 'x', tel: '+15550007' })
    await subscribers.find('tel:+15550007')
    await subscribers.remove('tel:+15550007')
    for (const aor of gina.identities) expect(await subscribers.find(aor)).toBeUndefined()
    expect(await subscribers.credentials('gina')).toBeUndefined()
    await expect(subscribers.remove('sip:gina@parley.test')).rejects.toMatchObject({ condition: 'not-found' })
  })

  test('users are listed page by page', async () => {
    const all = await subscribers.list()
    expect(all.length).toBeGreaterThan(3)
    const first = await subscribers.list({ limit: 2 })
    const rest = await subscribers.list({ after: first[1]?.id ?? 0 })
    expect([...first, ...rest]).toEqual(all)
  })

  test('many are imported at once, or none of them', async () => {
    const user = (n: number) => ({ uri: `sip:many${n}@parley.test`, password: `p${n}`, tel: `+1777${n}` })
    const users = Array.from({ length: 5000 }, (_, n) => user(n))
    expect(await subscribers.import(users)).toBe(5000)
    expect(await subscribers.find('tel:+17774999')).toMatchObject({ username: 'many4999' })
    expect(await subscribers.credentials('many4999')).toMatchObject({ md5: ha1('MD5', 'many4999', domain, 'p4999') })
    const taken = [{ uri: 'sip:fresh@parley.test', password: 'x' }, user(3)]
    await expect(subscribers.import(taken)).rejects.toMatchObject({ condition: 'conflict' })
    expect(await subscribers.find('sip:fresh@parley.test')).toBeUndefined()
  })
})

describe('between nodes', () => {
  test('what one node changes another one learns of, also of users it knew not to exist', async () => {
    const elsewhere = await openDatabase({ url: tables.url }, quiet)
    const other = new Subscribers({ database: elsewhere, domain, realm: domain })
    await listening(elsewhere, 'subscribers')
    expect(await other.find('sip:new@parley.test')).toBeUndefined()
    expect(other.find('sip:new@parley.test')).toBeUndefined()
    await subscribers.add({ uri: 'sip:new@parley.test', password: 'x' })
    await expect.poll(() => other.find('sip:new@parley.test')).toMatchObject({ username: 'new' })
    await subscribers.import([{ uri: 'sip:newer@parley.test', password: 'x' }])
    await expect.poll(() => other.find('sip:newer@parley.test')).toMatchObject({ username: 'newer' })
    other.close()
    await elsewhere.close()
  })
})
