import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { SipReply, Source } from '../../src/signalling/edge/sip-port.ts'
import { Addresses } from '../../src/signalling/manager/addresses.ts'
import { type Binding, Bindings, Registrar } from '../../src/signalling/registrar/index.ts'
import { type Subscriber, Subscribers } from '../../src/signalling/subscribers/index.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { quiet } from '../support/quiet-log.ts'
import { sipRequest } from '../support/sip-request.ts'

const domain = 'parley.test'
let tables: TestDatabase
let subscribers: Subscribers
let bindings: Bindings
let registrar: Registrar
let user: Subscriber
let users = 0
let clock = Date.now()
let told: { owner: number; binding: Binding; waiting: boolean }[] = []

beforeAll(async () => {
  tables = await testDatabase()
  const { database } = tables
  const now = () => clock
  const isOwnHost = (host: string) => host === domain || host === '127.0.0.1'
  const addresses = new Addresses({ domain, isOwnHost })
  subscribers = new Subscribers({ database, domain, realm: domain })
  bindings = new Bindings({ database, now, rememberMs: 7 * 86_400_000, log: quiet })
  registrar = new Registrar({
    barredFor: () => 0,
    subscriberOf: (aor) => subscribers.find(aor),
    addressOf: (uri) => addresses.of(uri),
    isOwnHost,
    bindings,
    serviceRoute: ({ transport }) => `<sip:parley.test;transport=${transport};lr>`,
    registered: (owner, binding, waiting) => told.push({ owner, binding, waiting }),
    now,
    bounds: { minExpires: 60, maxExpires: 7200, defaultExpires: 3600, maxContacts: 3 },
    flowTimer: 120,
  })
})

beforeEach(async () => {
  users++
  told = []
  user = await subscribers.add({ uri: `sip:user${users}@${domain}`, password: 'x', tel: `+1555${users}` })
})

afterAll(async () => {
  subscribers.close()
  await bindings.close()
  await tables.close()
})

type Fields = readonly (readonly [string, string])[]
interface Options {
  readonly uri?: string
  readonly source?: Partial<Source>
  readonly sender?: { readonly subscriber?: Subscriber; readonly trusted: boolean }
}

let cseq = 0
async function register(fields: Fields, { uri = `sip:${domain}`, source = {}, sender }: Options = {}) {
  const mine: Fields = [
    ['To', `<sip:user${users}@${domain}>`],
    ...(has(fields, 'CSeq') ? [] : [['CSeq', `${++cseq} REGISTER`] as const]),
  ]
  const request = sipRequest('REGISTER', uri, [...mine.filter(([name]) => !has(fields, name)), ...fields], source)
  return registrar.handleRegister({ ...request, sender: sender ?? { subscriber: user, trusted: false } })
}

const has = (fields: Fields, name: string) => fields.some(([given]) => given === name)
const values = ({ headers = [] }: SipReply, name: string) =>
  headers.filter(([each]) => each === name).map(([, value]) => value)
const live = async () => await bindings.of(user.id)
const phone = (n = 1) => `<sip:user@10.0.0.2:5070>;+sip.instance="<urn:uuid:${n}>"`
const outbound = (n = 1, regId = 1) => `${phone(n)};reg-id=${regId}`
const supported = ['Supported', 'path, outbound'] as const

describe('REGISTER', () => {
  test('binds a contact and answers with what is bound, who it is, and the way back', async () => {
    const reply = await register([
      ['Contact', '<sip:user@10.0.0.2:5070>;+g.oma.sip-im;methods="MESSAGE";q=0.5;expires=600'],
    ])
    expect(reply.status).toBe(200)
    expect(values(reply, 'Contact')).toEqual([
      '<sip:user@10.0.0.2:5070>;q=0.5;+g.oma.sip-im;methods="MESSAGE";expires=600',
    ])
    expect(values(reply, 'P-Associated-URI')).toEqual([
      `<sip:user${users}@parley.test>, <tel:+1555${users}>, <sip:+1555${users}@parley.test;user=phone>`,
    ])
    expect(values(reply, 'Service-Route')).toEqual(['<sip:parley.test;transport=udp;lr>'])
    expect(values(reply, 'Supported')).toEqual(['path, outbound'])
    expect(Date.parse(values(reply, 'Date')[0] ?? '')).not.toBeNaN()
    expect(told).toMatchObject([{ owner: user.id, waiting: false, binding: { contact: 'sip:user@10.0.0.2:5070' } }])
    expect(await live()).toMatchObject([{ flow: 'udp/1', callId: 'c1', q: 500 }])
  })

  test('takes the time from the contact, else from Expires, else the default, and cuts what is too long', async () => {
    const expiry = async (...fields: Fields) =>
      values(await register(fields), 'Contact')[0]?.match(/expires=(\d+)/)?.[1]
    expect(await expiry(['Contact', '<sip:a@h>;expires=100'], ['Expires', '200'])).toBe('100')
    expect(await expiry(['Contact', '<sip:a@h>'], ['Expires', '200'])).toBe('200')
    expect(await expiry(['Contact', '<sip:a@h>'])).toBe('3600')
    expect(await expiry(['Contact', '<sip:a@h>;expires=99999999999'])).toBe('7200')
    expect(await expiry(['Contact', '<sip:a@h>;expires=soon'])).toBe('3600')
  })

  test('answers 423 with Min-Expires to what is too brief, and changes nothing', async () => {
    const reply = await register([
      ['Contact', '<sip:a@h>'],
      ['Contact', '<sip:b@h>;expires=59'],
    ])
    expect(reply.status).toBe(423)
    expect(values(reply, 'Min-Expires')).toEqual(['60'])
    expect(await live()).toEqual([])
  })

  test('binds several contacts, tells of all, removes one, removes all', async () => {
    await register([['Contact', '<sip:a@h>, "B, the second" <sip:b@h>;q=0.1']])
    const fetched = await register([])
    expect(values(fetched, 'Contact')).toHaveLength(2)
    expect(told).toHaveLength(2)
    const one = await register([['Contact', '<sip:a@h>;expires=0']])
    expect(values(one, 'Contact')).toEqual(['<sip:b@h>;q=0.1;expires=3600'])
    const none = await register([
      ['Contact', '*'],
      ['Expires', '0'],
    ])
    expect(values(none, 'Contact')).toEqual([])
    expect(none.status).toBe(200)
  })

  test.each([
    [
      '* with another contact',
      [
        ['Contact', '*, <sip:a@h>'],
        ['Expires', '0'],
      ],
    ],
    [
      '* that does not remove',
      [
        ['Contact', '*'],
        ['Expires', '60'],
      ],
    ],
    ['* without Expires', [['Contact', '*']]],
    ['a contact that is no SIP address', [['Contact', '<mailto:a@h>']]],
    ['a contact of a thousand characters', [['Contact', `<sip:${'a'.repeat(1000)}@h>`]]],
    ['two contacts with reg-id', [['Contact', `${outbound(1)}, ${outbound(2, 2)}`], supported]],
  ] as [string, Fields][])('%s is malformed', async (_, fields) => {
    await expect(register(fields)).rejects.toMatchObject({ status: 400 })
  })

  test('the same contact in another spelling is the same binding', async () => {
    await register([['Contact', '<sip:User@Host.test:5070;transport=tcp>']])
    await register([['Contact', '<sip:%55ser@hOST.test:5070;transport=TCP;x=1>']])
    expect(await live()).toHaveLength(1)
    await register([['Contact', '<sip:User@host.test:5070>']])
    expect(await live()).toHaveLength(2)
  })

  test('what comes late within one Call-ID fails and changes nothing; under another Call-ID it counts', async () => {
    await register([
      ['Contact', '<sip:a@h>'],
      ['CSeq', '10 REGISTER'],
    ])
    const late = (fields: Fields) => register([...fields, ['CSeq', '10 REGISTER']])
    await expect(late([['Contact', '<sip:a@h>;expires=0']])).rejects.toMatchObject({ condition: 'out-of-order' })
    await expect(late([['Contact', '<sip:b@h>, <sip:a@h>']])).rejects.toMatchObject({ condition: 'out-of-order' })
    await expect(
      late([
        ['Contact', '*'],
        ['Expires', '0'],
      ]),
    ).rejects.toMatchObject({ condition: 'out-of-order' })
    expect(await live()).toHaveLength(1)
    await register([
      ['Contact', '<sip:a@h>;expires=0'],
      ['CSeq', '1 REGISTER'],
      ['Call-ID', 'c2'],
    ])
    expect(await live()).toEqual([])
  })

  test('more contacts than are allowed are refused; refreshing and replacing is not more', async () => {
    await register([['Contact', '<sip:a@h>, <sip:b@h>, <sip:c@h>']])
    await expect(register([['Contact', '<sip:d@h>']])).rejects.toMatchObject({ condition: 'too-many-contacts' })
    expect((await register([['Contact', '<sip:a@h>']])).status).toBe(200)
    expect((await register([['Contact', '<sip:a@h>;expires=0, <sip:d@h>']])).status).toBe(200)
    expect((await live()).map(({ contact }) => contact).sort()).toEqual(['sip:b@h', 'sip:c@h', 'sip:d@h'])
  })

  test('registrations of one user that come at once are all kept', async () => {
    await Promise.all(['a', 'b', 'c'].map((name) => register([['Contact', `<sip:${name}@h>`]])))
    expect(await live()).toHaveLength(3)
  })

  test('a user is one user by number, and by the address of the server', async () => {
    for (const to of [
      `tel:+1-555-${users}`,
      `sip:+1(555)${users}@parley.test;user=phone`,
      `sip:user${users}@127.0.0.1`,
    ]) {
      const reply = await register([
        ['To', `<${to}>`],
        ['Contact', '<sip:a@h>'],
      ])
      expect(reply.status).toBe(200)
    }
    expect(await live()).toHaveLength(1)
  })
})

describe('who registers whom', () => {
  test('somebody else, known or not, is forbidden', async () => {
    for (const to of ['<sip:user1@other.test>', '<sip:nobody@parley.test>', `<sip:user${users - 1}@parley.test>`]) {
      await expect(
        register([
          ['To', to],
          ['Contact', '<sip:a@h>'],
        ]),
      ).rejects.toMatchObject({ condition: 'forbidden' })
    }
  })

  test('a core registers users over itself, without flow; of unknown ones it is told', async () => {
    const options = { uri: 'sip:127.0.0.1', sender: { trusted: true } }
    const reply = await register(
      [
        ['From', '<sip:scscf.core.test>'],
        ['Contact', '<sip:scscf.core.test>'],
      ],
      options,
    )
    expect(reply.status).toBe(200)
    expect(await live()).toMatchObject([{ contact: 'sip:scscf.core.test', flow: '' }])
    const unknown = register(
      [
        ['To', '<sip:nobody@parley.test>'],
        ['Contact', '<sip:a@h>'],
      ],
      options,
    )
    await expect(unknown).rejects.toMatchObject({ condition: 'recipient-unknown' })
  })

  test('another domain is not registered with here', async () => {
    const foreign = register([['Contact', '<sip:a@h>']], { uri: 'sip:other.test' })
    await expect(foreign).rejects.toMatchObject({ condition: 'forbidden' })
  })
})

describe('the way to a device', () => {
  const flowOf = async (contact: string, source: Partial<Source>, ...fields: Fields) => {
    await register([['Contact', contact], ...fields], { source })
    return (await live())[0]?.flow
  }

  test('is the flow it registered on', async () => {
    expect(await flowOf('<sip:a@192.168.1.7:5060>', { flow: 'udp/7' })).toBe('udp/7')
    expect(await flowOf('<sip:a@10.0.0.2>', { transport: 'tcp', flow: 'tcp/7' })).toBe('tcp/7')
  })

  test('is its contact, where that is another UDP port of the same host', async () => {
    expect(await flowOf('<sip:a@10.0.0.2:5999>', { flow: 'udp/7' })).toBe('')
    expect(await flowOf('<sip:a@10.0.0.2:5070>', { flow: 'udp/7' })).toBe('udp/7')
  })

  test('is Path, where a proxy is before it, kept and told back to whoever understands it', async () => {
    const path = ['Path', '<sip:edge.test;lr>, <sip:near.test;lr;ob>'] as const
    const reply = await register([['Contact', phone()], path, supported])
    expect(values(reply, 'Path')).toEqual([path[1]])
    expect(await live()).toMatchObject([{ flow: '', path: ['<sip:edge.test;lr>', '<sip:near.test;lr;ob>'] }])
    expect(values(await register([['Contact', phone()], path]), 'Path')).toEqual([])
  })
})

describe('outbound (RFC 5626)', () => {
  test('one instance and reg-id is one binding, whatever its contact', async () => {
    const reply = await register([['Contact', outbound()], supported])
    expect(values(reply, 'Require')).toEqual(['outbound'])
    expect(values(reply, 'Flow-Timer')).toEqual(['120'])
    expect(values(reply, 'Contact')[0]).toContain(';+sip.instance="<urn:uuid:1>";reg-id=1')
    const moved = outbound().replace('10.0.0.2:5070', '10.0.0.3:6000')
    await register([['Contact', moved], supported], { source: { flow: 'udp/2' } })
    expect(await live()).toMatchObject([{ device: 'urn:uuid:1', contact: 'sip:user@10.0.0.3:6000', flow: 'udp/2' }])
    await register([['Contact', outbound(1, 2)], supported])
    await register([['Contact', outbound(2, 1)], supported])
    expect(await live()).toHaveLength(3)
    expect(await bindings.devicesKnown(user.id)).toEqual(expect.arrayContaining(['urn:uuid:1', 'urn:uuid:2']))
  })

  test('without Supported: outbound it is not used', async () => {
    const reply = await register([['Contact', outbound()]])
    expect(values(reply, 'Require')).toEqual([])
    expect(await live()).toMatchObject([{ regId: 0, device: 'urn:uuid:1' }])
  })

  test('is refused with 439 behind a proxy that keeps no flows', async () => {
    const vias: Fields = [
      ['Via', 'SIP/2.0/UDP edge.test;branch=z9hG4bK2'],
      ['Via', 'SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1'],
    ]
    const behind = (path: string) => register([...vias, ['Contact', outbound()], ['Path', path], supported])
    expect((await behind('<sip:edge.test;lr>')).status).toBe(439)
    expect((await behind('<sip:edge.test;lr;ob>')).status).toBe(200)
  })

  test('a device without outbound that starts anew replaces what it left behind', async () => {
    await register([['Contact', phone()]])
    await register([
      ['Contact', phone().replace('5070', '5071')],
      ['Call-ID', 'c1'],
    ])
    expect(await live()).toHaveLength(2)
    await register([
      ['Contact', phone().replace('5070', '5072')],
      ['Call-ID', 'c2'],
    ])
    expect(await live()).toMatchObject([{ contact: 'sip:user@10.0.0.2:5072' }])
  })

  test('a device that signs off is remembered', async () => {
    await register([['Contact', outbound()], supported])
    await register([
      ['Contact', '*'],
      ['Expires', '0'],
    ])
    expect(await live()).toEqual([])
    expect(await bindings.devicesKnown(user.id)).toEqual(['urn:uuid:1'])
  })
})

test('a binding ends with its time', async () => {
  await register([['Contact', '<sip:a@h>;expires=60']])
  clock += 59_500
  expect(values(await register([]), 'Contact')).toEqual(['<sip:a@h>;expires=1'])
  clock += 500
  expect(values(await register([]), 'Contact')).toEqual([])
})
