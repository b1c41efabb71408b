import fc from 'fast-check'
import { XMLParser } from 'fast-xml-parser'
import { expect, test } from 'vitest'
import { writeRlmi } from '../../../src/protocols/pidf/rlmi.ts'
import { writeWatcherInfo } from '../../../src/protocols/pidf/watcher-info.ts'
import { writeReginfo } from '../../../src/protocols/reginfo/reginfo.ts'

/** A reader of others: elements by name, attributes with `@`. */
const parse = (bytes: Buffer) =>
  new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    parseTagValue: false,
    parseAttributeValue: false,
    trimValues: false,
    isArray: (name) => ['resource', 'watcher', 'registration', 'contact'].includes(name),
  }).parse(bytes)

/** Characters that XML 1.0 has, and that a URI or a name may get from anywhere. */
const text = fc.string({ unit: fc.constantFrom(...'ab:@.<>&"\' é€😀;=') })

test('the meta-information of a list names its resources and where their state is (RFC 4662 §5.3)', () => {
  const resources = [
    { uri: 'sip:bob@parley.test', state: 'active', cid: 'one@presence' },
    { uri: 'sip:dave@parley.test', state: 'pending' },
    { uri: 'sip:ed@x.test', state: 'terminated', reason: 'noresource' },
  ] as const
  const { list } = parse(writeRlmi({ uri: 'sip:friends@parley.test', version: 7, fullState: true, resources }))
  expect(list).toMatchObject({
    '@xmlns': 'urn:ietf:params:xml:ns:rlmi',
    '@uri': 'sip:friends@parley.test',
    '@version': '7',
    '@fullState': 'true',
    resource: [
      { '@uri': 'sip:bob@parley.test', instance: { '@id': '1', '@state': 'active', '@cid': 'one@presence' } },
      { instance: { '@state': 'pending' } },
      { instance: { '@state': 'terminated', '@reason': 'noresource' } },
    ],
  })
})

test('watchers are told with status and event (RFC 3858 §4)', () => {
  const watchers = [
    { id: '77ajsyy76', uri: 'sip:joe@parley.test', status: 'active', event: 'approved' },
    { id: '09tuj63f3', uri: 'sip:moe@parley.test', status: 'pending', event: 'subscribe' },
  ] as const
  const { watcherinfo } = parse(writeWatcherInfo(3, { resource: 'sip:a@parley.test', package: 'presence', watchers }))
  expect(watcherinfo).toMatchObject({
    '@xmlns': 'urn:ietf:params:xml:ns:watcherinfo',
    '@version': '3',
    '@state': 'full',
    'watcher-list': {
      '@resource': 'sip:a@parley.test',
      '@package': 'presence',
      watcher: [
        { '@id': '77ajsyy76', '@status': 'active', '@event': 'approved', '#text': 'sip:joe@parley.test' },
        { '@status': 'pending', '@event': 'subscribe', '#text': 'sip:moe@parley.test' },
      ],
    },
  })
})

test('registrations are told with their contacts (RFC 3680 §5)', () => {
  const contact = {
    id: 'c',
    uri: 'sip:a@10.0.0.1;x="y"',
    event: 'registered',
    expires: 30,
    callId: 'x&y',
    cseq: 4,
  } as const
  const { reginfo } = parse(
    writeReginfo(2, [
      { aor: 'sip:a@parley.test', id: 'r0', contacts: [contact] },
      { aor: 'tel:+15550001', id: 'r1', contacts: [] },
    ]),
  )
  expect(reginfo).toMatchObject({
    '@version': '2',
    '@state': 'full',
    registration: [
      {
        '@state': 'active',
        contact: [{ '@callid': 'x&y', '@cseq': '4', '@expires': '30', uri: 'sip:a@10.0.0.1;x="y"' }],
      },
      { '@aor': 'tel:+15550001', '@state': 'terminated' },
    ],
  })
})

test('whatever stands in them comes out as it went in', () => {
  fc.assert(
    fc.property(text, text, (uri, other) => {
      const rlmi = writeRlmi({
        uri,
        version: 0,
        fullState: false,
        resources: [{ uri: other, state: 'active', cid: uri }],
      })
      const { list } = parse(rlmi)
      expect([list['@uri'], list.resource[0]['@uri'], list.resource[0].instance['@cid']]).toEqual([uri, other, uri])
      const watchers = [{ id: uri, uri: `sip:${other}`, status: 'active', event: 'approved' }] as const
      const { watcherinfo } = parse(writeWatcherInfo(0, { resource: other, package: 'presence', watchers }))
      expect(watcherinfo['watcher-list'].watcher[0]).toMatchObject({ '@id': uri, '#text': `sip:${other}` })
    }),
  )
})
