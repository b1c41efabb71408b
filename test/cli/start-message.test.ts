import { expect, test } from 'vitest'
import { writeStartMessage } from '../../src/operations/cli/start-message.ts'

const sip = (transport: string, address: string, port: number) => ({ name: 'sip' as const, transport, address, port })
const msrp = { name: 'msrp' as const, transport: 'tcp', address: '10.0.0.1', port: 2855 }
const http = { name: 'http' as const, transport: 'tcp', address: '127.0.0.1', port: 8080 }
const alice = { aor: 'sip:alice@parley.test', tel: 'tel:+15550001', password: 'secret' }
const needs = { domain: 'parley.test', dataDir: '/data', command: 'parley', settings: [] }

test('first it says that it is ready, then a line for each address', () => {
  const addresses = [sip('udp', '10.0.0.1', 5060), sip('wss', '::1', 443), msrp, http]
  expect(writeStartMessage({ addresses }, { ...needs, domain: 'example.org' })).toBe(
    [
      'parley ready: example.org',
      'sip udp:10.0.0.1:5060',
      'sip wss:[::1]:443',
      'msrp tcp:10.0.0.1:2855',
      'http 127.0.0.1:8080',
    ].join('\n'),
  )
})

test('in demo mode it tells the users, their passwords and what to try', () => {
  const addresses = [sip('udp', '127.0.0.1', 5060), sip('tcp', '127.0.0.1', 5060), http]
  const lines = writeStartMessage({ addresses, demo: { users: [alice], adminToken: 'token' } }, needs).split('\n')
  expect(lines[0]).toBe('parley ready: parley.test, demo mode')
  expect(lines).toContain('  sip:alice@parley.test  tel:+15550001  password secret')
  expect(lines).toContain('  parley listen bob')
  expect(lines).toContain('  parley message alice bob "hello"')
  expect(lines).toContain("  curl -H 'Authorization: Bearer token' http://127.0.0.1:8080/admin/v1/users")
})

test('what the defaults do not lead to is part of the commands', () => {
  const demo = { users: [alice], adminToken: 'token' }
  const settings = ["data.dir=/it's here"]
  expect(
    writeStartMessage({ addresses: [sip('udp', '127.0.0.1', 4711), http], demo }, { ...needs, settings }),
  ).toContain("  parley listen bob --set 'data.dir=/it'\\''s here' --server 'sip:127.0.0.1:4711;transport=udp'")
})
