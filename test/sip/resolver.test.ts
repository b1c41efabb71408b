import { describe, expect, test } from 'vitest'
import type { Hop, Transport } from '../../src/sip/addresses.ts'
import { DnsCache } from '../../src/sip/dns-cache.ts'
import { Resolver } from '../../src/sip/resolver.ts'
import { DnsServer, type Zone } from '../support/dns-server.ts'

const srv = (priority: number, weight: number, port: number, target: string) => ({ priority, weight, port, target })
const naptr = (order: number, preference: number, service: string, replacement: string, flags = 's') => ({
  order,
  preference,
  flags,
  service,
  replacement,
})

interface Setting {
  readonly supports?: readonly Transport[]
  readonly routes?: Readonly<Record<string, string>>
  readonly random?: () => number
  readonly ttl?: number
}

/** Resolves against a DNS server that holds `zone`; the clock stands still until it is put forward. */
async function withZone(zone: Zone, setting: Setting = {}) {
  const server = await DnsServer.start(zone, setting.ttl)
  let now = 0
  const dns = new DnsCache(server.address, () => now)
  const supports: readonly Transport[] = setting.supports ?? ['udp', 'tcp', 'tls']
  const resolver = new Resolver({
    dns,
    routeFor: (host) => setting.routes?.[host],
    supports: (transport) => supports.includes(transport),
    random: setting.random ?? (() => 0),
  })
  return {
    server,
    resolve: async (uri: string) => (await resolver.resolve(uri)).map(written),
    resolver,
    skip: (ms: number) => {
      now += ms
    },
    async [Symbol.asyncDispose]() {
      dns.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

const written = ({ transport, address, port }: Hop) => `${transport} ${address} ${port}`

describe('an address in numbers (RFC 3263 §4.1, §4.2)', () => {
  test.each([
    ['sip:127.0.0.1', 'udp 127.0.0.1 5060'],
    ['sip:bob@127.0.0.1:5080', 'udp 127.0.0.1 5080'],
    ['sip:127.0.0.1;transport=tcp', 'tcp 127.0.0.1 5060'],
    ['sip:127.0.0.1;transport=TLS', 'tls 127.0.0.1 5061'],
    ['sips:127.0.0.1', 'tls 127.0.0.1 5061'],
    ['sips:127.0.0.1;transport=tcp', 'tls 127.0.0.1 5061'],
    ['sips:127.0.0.1:7443;transport=ws', 'wss 127.0.0.1 7443'],
    ['sip:[::1]:5070', 'udp ::1 5070'],
    ['sip:[2001:db8::1];transport=ws', 'ws 2001:db8::1 80'],
    ['sip:other.test;maddr=10.0.0.9', 'udp 10.0.0.9 5060'],
  ])('%s is %s, on the spot', async (uri, expected) => {
    await using dns = await withZone({})
    const hops = dns.resolver.resolve(uri)
    expect(hops).not.toBeInstanceOf(Promise)
    expect((hops as Hop[]).map(written)).toEqual([expected])
    expect(dns.server.asked).toEqual([])
  })

  test.each(['sip:127.0.0.1;transport=sctp', 'sips:127.0.0.1;transport=udp', 'tel:+15550001'])(
    '%s leads nowhere',
    async (uri) => {
      await using dns = await withZone({})
      expect(await dns.resolve(uri)).toEqual([])
    },
  )

  test('without a UDP socket it is TCP', async () => {
    await using dns = await withZone({}, { supports: ['tcp', 'tls'] })
    expect(await dns.resolve('sip:127.0.0.1')).toEqual(['tcp 127.0.0.1 5060'])
  })
})

describe('a name', () => {
  test('with a port is looked up as an address, A before AAAA', async () => {
    await using dns = await withZone({ 'p.test': { a: ['10.0.0.1', '10.0.0.2'], aaaa: ['2001:db8::1'] } })
    expect(await dns.resolve('sip:p.test:5070')).toEqual([
      'udp 10.0.0.1 5070',
      'udp 10.0.0.2 5070',
      'udp 2001:db8::1 5070',
    ])
    expect(dns.server.asked.sort()).toEqual(['A p.test', 'AAAA p.test'])
  })

  test('with a transport asks SRV for that one, and goes by the address where there is none', async () => {
    await using dns = await withZone({
      '_sip._tcp.a.test': { srv: [srv(1, 0, 5071, 'one.a.test')] },
      'one.a.test': { a: ['10.0.0.1'] },
      'b.test': { a: ['10.0.0.2'] },
    })
    expect(await dns.resolve('sip:a.test;transport=tcp')).toEqual(['tcp 10.0.0.1 5071'])
    expect(await dns.resolve('sip:b.test;transport=tcp')).toEqual(['tcp 10.0.0.2 5060'])
    expect(await dns.resolve('sip:b.test;transport=tls')).toEqual(['tls 10.0.0.2 5061'])
  })

  test('alone goes by NAPTR: order, then preference, without what is not spoken here', async () => {
    await using dns = await withZone({
      'n.test': {
        naptr: [
          naptr(20, 10, 'SIP+D2U', '_sip._udp.n.test'),
          naptr(10, 20, 'SIP+D2T', '_sip._tcp.n.test'),
          naptr(10, 10, 'SIPS+D2T', '_sips._tcp.n.test'),
          naptr(1, 1, 'SIP+D2S', '_sip._sctp.n.test'),
          naptr(1, 1, 'E2U+sip', 'n.test', 'u'),
        ],
      },
      '_sips._tcp.n.test': { srv: [srv(1, 1, 5061, 'tls.n.test')] },
      '_sip._tcp.n.test': { srv: [srv(1, 1, 5060, 'tcp.n.test')] },
      'tls.n.test': { a: ['10.0.0.1'] },
      'tcp.n.test': { a: ['10.0.0.2'] },
    })
    expect(await dns.resolve('sip:n.test')).toEqual(['tls 10.0.0.1 5061'])
    expect(await dns.resolve('sips:n.test')).toEqual(['tls 10.0.0.1 5061'])
  })

  test('whose first service has no servers goes by the next', async () => {
    await using dns = await withZone({
      'n.test': { naptr: [naptr(1, 1, 'SIPS+D2T', '_sips._tcp.n.test'), naptr(2, 1, 'SIP+D2U', '_sip._udp.n.test')] },
      '_sip._udp.n.test': { srv: [srv(1, 1, 5062, 'u.n.test')] },
      'u.n.test': { a: ['10.0.0.3'] },
    })
    expect(await dns.resolve('sip:n.test')).toEqual(['udp 10.0.0.3 5062'])
  })

  test('without NAPTR asks SRV of each transport; without any goes by the address and UDP', async () => {
    await using dns = await withZone({
      '_sip._tcp.s.test': { srv: [srv(1, 1, 5064, 't.s.test')] },
      't.s.test': { a: ['10.0.0.4'] },
      'plain.test': { a: ['10.0.0.5'] },
    })
    expect(await dns.resolve('sip:s.test')).toEqual(['tcp 10.0.0.4 5064'])
    expect(await dns.resolve('sip:plain.test')).toEqual(['udp 10.0.0.5 5060'])
    expect(await dns.resolve('sips:plain.test')).toEqual(['tls 10.0.0.5 5061'])
  })

  test('keeps its own name for the certificate, whatever SRV says (RFC 5922 §4)', async () => {
    await using dns = await withZone({
      '_sips._tcp.c.test': { srv: [srv(1, 1, 5061, 'host7.provider.test')] },
      'host7.provider.test': { a: ['10.0.0.6'] },
    })
    expect(await dns.resolver.resolve('sips:c.test')).toMatchObject([{ host: 'c.test', address: '10.0.0.6' }])
  })

  test('that does not exist leads nowhere, and so does a service that says it is not there', async () => {
    await using dns = await withZone({ '_sip._udp.gone.test': { srv: [srv(0, 0, 0, '')] }, 'gone.test': {} })
    expect(await dns.resolve('sip:nowhere.test')).toEqual([])
    expect(await dns.resolve('sip:gone.test')).toEqual([])
  })

  test('with a static route goes there and asks nobody', async () => {
    await using dns = await withZone({}, { routes: { 'other.test': 'sip:10.0.0.2:5070;transport=tcp' } })
    expect(await dns.resolve('sip:bob@OTHER.test')).toEqual(['tcp 10.0.0.2 5070'])
    expect(dns.server.asked).toEqual([])
  })
})

describe('SRV (RFC 2782)', () => {
  const zone: Zone = {
    '_sip._udp.w.test': {
      srv: [srv(20, 100, 3, 'last.w.test'), srv(10, 10, 1, 'light.w.test'), srv(10, 90, 2, 'heavy.w.test')],
    },
    'light.w.test': { a: ['10.0.0.1'] },
    'heavy.w.test': { a: ['10.0.0.2'] },
    'last.w.test': { a: ['10.0.0.3'] },
  }

  test('lower priorities come first, whatever their weight', async () => {
    await using dns = await withZone(zone)
    expect((await dns.resolve('sip:w.test;transport=udp')).at(-1)).toBe('udp 10.0.0.3 3')
  })

  test('among equals the first is drawn by weight', async () => {
    let draw = 0
    await using dns = await withZone(zone, { random: () => draw })
    const firsts = new Map<string | undefined, number>()
    for (draw = 0; draw < 0.995; draw += 0.01) {
      const [first] = await dns.resolve('sip:w.test;transport=udp')
      firsts.set(first, (firsts.get(first) ?? 0) + 1)
    }
    expect(firsts.get('udp 10.0.0.1 1')).toBeGreaterThanOrEqual(9)
    expect(firsts.get('udp 10.0.0.1 1')).toBeLessThanOrEqual(12)
    expect(firsts.get('udp 10.0.0.2 2')).toBeGreaterThanOrEqual(88)
  })
})

describe('the cache', () => {
  test('asks once while the answer holds, also for questions at the same time, and again after its TTL', async () => {
    await using dns = await withZone({ 'c.test': { a: ['10.0.0.1'] } }, { ttl: 30 })
    await Promise.all([dns.resolve('sip:c.test:5060'), dns.resolve('sip:c.test:5060')])
    await dns.resolve('sip:c.test:5060')
    expect(dns.server.asked.filter((question) => question === 'A c.test')).toHaveLength(1)
    dns.server.zone = { 'c.test': { a: ['10.0.0.2'] } }
    dns.skip(29_000)
    expect(await dns.resolve('sip:c.test:5060')).toEqual(['udp 10.0.0.1 5060'])
    dns.skip(2000)
    expect(await dns.resolve('sip:c.test:5060')).toEqual(['udp 10.0.0.2 5060'])
  })

  test('remembers that there is nothing, for a while', async () => {
    await using dns = await withZone({})
    await dns.resolve('sip:c.test:5060')
    await dns.resolve('sip:c.test:5060')
    expect(dns.server.asked.filter((question) => question === 'A c.test')).toHaveLength(1)
    dns.server.zone = { 'c.test': { a: ['10.0.0.2'] } }
    dns.skip(31_000)
    expect(await dns.resolve('sip:c.test:5060')).toEqual(['udp 10.0.0.2 5060'])
  })

  test('without a server of its own, names of the hosts file are found', async () => {
    const dns = new DnsCache(undefined, () => 0)
    expect(await dns.addresses('localhost')).toContain('127.0.0.1')
    dns.close()
  })
})
