import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readFileSelector, writeFileSelector } from '../../../src/protocols/sdp/file-selector.ts'
import { answerSetup, isMsrp, readMsrpMedia, withMsrpMedia } from '../../../src/protocols/sdp/msrp-media.ts'
import { readSdp } from '../../../src/protocols/sdp/read-sdp.ts'
import { codecsOf, isRtp, rtcpAddress, rtpAddress, withFormats } from '../../../src/protocols/sdp/rtp-media.ts'
import type { MediaDescription } from '../../../src/protocols/sdp/session-description.ts'
import { browser, pushToTalk, rfc4975, rfc5547, rfc8866 } from './descriptions.ts'

const firstOf = (text: string) => readSdp(text).media[0] as MediaDescription

test('the MSRP attributes are read', () => {
  expect(isMsrp(firstOf(rfc4975))).toBe(true)
  expect(isMsrp(firstOf(rfc8866))).toBe(false)
  expect(readMsrpMedia(firstOf(rfc4975))).toEqual({
    path: ['msrps://relay.example.com:2855/kjh;tcp', 'msrps://alice.example.com:7394/2s93i9ek2a;tcp'],
    acceptTypes: ['message/cpim', 'text/html', 'text/plain;charset="utf 8"'],
    acceptWrappedTypes: ['*'],
    maxSize: 4096,
    setup: 'actpass',
    cema: true,
    fingerprints: [{ algorithm: 'sha-256', value: '4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B' }],
  })
})

test('the MSRP attributes are put in place of those that were there', () => {
  const media = firstOf(rfc4975)
  const own = { path: ['msrp://parley.test:2855/own;tcp'], setup: 'passive', cema: false, fingerprints: [] } as const
  const put = withMsrpMedia(media, { ...own, maxSize: undefined })
  expect(readMsrpMedia(put)).toEqual({ ...readMsrpMedia(media), ...own, maxSize: undefined })
  expect(withMsrpMedia(media, readMsrpMedia(media)).attributes.map(({ name }) => name)).toEqual(
    media.attributes.map(({ name }) => name),
  )
})

test.each([
  ['actpass', 'passive'],
  ['active', 'passive'],
  [undefined, 'passive'],
  ['passive', 'active'],
  ['holdconn', 'holdconn'],
] as const)('a=setup:%s is answered %s', (offered, answered) => {
  expect(answerSetup(offered)).toBe(answered)
})

test('a file selector is read', () => {
  const [, value = ''] = /a=file-selector:(.*)\r/.exec(rfc5547) ?? []
  const selector = readFileSelector(value)
  expect(selector).toMatchObject({ name: 'My cool picture.jpg', type: 'image/jpeg', size: 32349 })
  expect(selector?.hashes[0]).toMatchObject({ algorithm: 'sha-1' })
  expect(writeFileSelector(selector ?? { hashes: [] })).toBe(value)
  expect(readFileSelector('')).toEqual({ hashes: [] })
  expect(readFileSelector('size:1 size:2')).toBeUndefined()
  expect(readFileSelector('size:1  type:a/b')).toBeUndefined()
  expect(readFileSelector('size:1 ')).toBeUndefined()
})

test('a file name comes through a selector whatever its characters', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => Buffer.from(text).toString() === text)
  fc.assert(
    fc.property(name, fc.nat(), (name, size) => {
      const written = writeFileSelector({ name, size, hashes: [] })
      expect(readFileSelector(written)).toEqual({ name, size, hashes: [] })
    }),
  )
})

test('codecs are read from static and dynamic payload types', () => {
  expect(codecsOf(firstOf(rfc8866))).toEqual([
    { payloadType: 0, name: 'PCMU', clockRate: 8000, channels: 1, parameters: undefined },
  ])
  expect(codecsOf(firstOf(browser)).map(({ payloadType, name, channels }) => [payloadType, name, channels])).toEqual([
    [111, 'opus', 2],
    [63, 'red', 2],
    [9, 'G722', 1],
    [0, 'PCMU', 1],
    [126, 'telephone-event', 1],
  ])
  expect(codecsOf(firstOf(browser))[0]?.parameters).toBe('minptime=10;useinbandfec=1')
})

test('formats leave with their attributes', () => {
  const media = withFormats(firstOf(browser), (format) => format !== '111')
  expect(media.formats).toEqual(['63', '9', '0', '126'])
  expect(media.attributes.filter(({ value = '' }) => value.startsWith('111'))).toEqual([])
  expect(withFormats(media, () => true)).toBe(media)
})

test('RTP and RTCP have their addresses: the next port, a=rtcp, or one for both', () => {
  const [session, web, talk] = [readSdp(rfc8866), readSdp(browser), readSdp(pushToTalk)]
  const media = session.media[2] as MediaDescription
  expect(rtpAddress(media, session)).toEqual({ address: '2001:db8::2', port: 51372 })
  expect(rtcpAddress(media, session)).toEqual({ address: '2001:db8::2', port: 51373 })
  expect(rtcpAddress(media, session, true)).toEqual({ address: '2001:db8::2', port: 51372 })
  expect(rtcpAddress(web.media[0] as MediaDescription, web)).toEqual({ address: '0.0.0.0', port: 9 })
  expect(rtcpAddress(talk.media[0] as MediaDescription, talk)).toEqual({
    address: '5555::aaa:bbb:ccc:ddd',
    port: 57788,
  })
  expect(isRtp(talk.media[1] as MediaDescription)).toBe(false)
  expect(rtpAddress({ ...media, port: 0 }, session)).toBeUndefined()
})
