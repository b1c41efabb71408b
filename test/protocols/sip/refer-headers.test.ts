import { expect, test } from 'vitest'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'
import { readReferTo } from '../../../src/protocols/sip/refer-to.ts'
import { readTargetDialog } from '../../../src/protocols/sip/target-dialog.ts'

test('Refer-To names whom, with which method, and header fields of the request (RFC 3515 §2.1)', () => {
  const plain = readReferTo(['sip:bob@biloxi.example'])
  expect([plain.uri.host, plain.method, plain.header('replaces')]).toEqual(['biloxi.example', 'INVITE', undefined])
  const full = readReferTo([
    '"Storage" <sip:dave@denver.example.org;method=bye?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994&Subject=&Subject=twice>',
  ])
  expect([full.method, full.header('Replaces')]).toEqual(['BYE', '12345@192.168.118.3;to-tag=12345;from-tag=5FFE-3994'])
  expect(full.header('subject')).toBe('')
})

test('a Refer-To that is missing, twice there, no address or badly escaped is malformed', () => {
  for (const bad of [[], ['sip:a@b', 'sip:c@d'], [''], ['http://a.example/'], ['<sip:a@b?x=%ff>'], ['<sip:a@b?x=%>']])
    expect(() => readReferTo(bad)).toThrow(MalformedSip)
})

test('Target-Dialog has the tags as its sender has them (RFC 4538 §7)', () => {
  expect(readTargetDialog('fa77as7dad8-sd98ajzz@host.example.com ;local-tag=kkaz- ;remote-tag=6544')).toEqual({
    callId: 'fa77as7dad8-sd98ajzz@host.example.com',
    localTag: 'kkaz-',
    remoteTag: '6544',
  })
  for (const bad of ['', 'a', 'a;local-tag=1', 'a;remote-tag=1', ';local-tag=1;remote-tag=2'])
    expect(() => readTargetDialog(bad)).toThrow(MalformedSip)
})
