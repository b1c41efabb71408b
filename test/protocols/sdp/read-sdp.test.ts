import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MalformedSdp } from '../../../src/protocols/sdp/malformed-sdp.ts'
import { readSdp } from '../../../src/protocols/sdp/read-sdp.ts'
import { sdpText, writeSdp } from '../../../src/protocols/sdp/write-sdp.ts'
import { descriptions, rfc3264, rfc4566, rfc4975, rfc8866 } from './descriptions.ts'

/** What readSdp says is wrong. */
function fault(text: string): { line: number; text: string; reason: string } | undefined {
  try {
    readSdp(text)
    return undefined
  } catch (err) {
    if (!(err instanceof MalformedSdp)) throw err
    return { line: err.line, text: err.text, reason: err.reason }
  }
}

const edited = (line: number, put: string | undefined, of = rfc3264): string => {
  const lines = of.split('\r\n')
  lines.splice(line - 1, 1, ...(put === undefined ? [] : put.split('\n')))
  return lines.join('\r\n')
}

test.each(descriptions.map((text) => [text.split('\r\n')[1], text] as const))(
  '%s is written as it was read',
  (_, text) => {
    expect(sdpText(readSdp(text))).toBe(text)
    expect(writeSdp(readSdp(Buffer.from(text, 'latin1'))).toString('latin1')).toBe(text)
  },
)

test('the lines of a session are read into its model', () => {
  expect(readSdp(rfc4566)).toMatchObject({
    origin: { username: 'jdoe', sessionId: '2890844526', version: '2890842807', address: '10.47.16.5' },
    sessionName: 'SDP Seminar',
    uri: 'http://www.example.com/seminars/sdp.pdf',
    emails: ['j.doe@example.com (Jane Doe)'],
    connection: { networkType: 'IN', addressType: 'IP4', address: '224.2.17.12/127' },
    bandwidth: [{ type: 'X-YZ', value: 128 }],
    times: [{ start: '2873397496', stop: '2873404696', repeats: ['7d 1h 0 25h'], zone: '2882844526 -1h 2898848070 0' }],
    key: 'prompt',
    attributes: [{ name: 'recvonly' }],
    media: [
      { media: 'audio', port: 49170, portCount: 2, protocol: 'RTP/AVP', formats: ['0'], information: 'Sound' },
      { media: 'video', port: 51372, formats: ['99'], attributes: [{ name: 'rtpmap', value: '99 h263-1998/90000' }] },
    ],
  })
})

test('lines may end with LF alone, the last one may have no end, and empty lines after it are left out', () => {
  const whole = readSdp(rfc8866)
  expect(readSdp(rfc8866.replaceAll('\r\n', '\n'))).toEqual(whole)
  expect(readSdp(rfc8866.slice(0, -2))).toEqual(whole)
  expect(readSdp(`${rfc8866}\r\n\r\n`)).toEqual(whole)
})

test('bytes beyond ASCII and attributes that nobody knows pass as they came', () => {
  const bytes = Buffer.concat([
    Buffer.from(rfc3264.replace('s=-', 's=Grüße 日本'), 'utf8'),
    Buffer.from('a=x-odd:  spaces, \t tab, colon : and \r\n', 'latin1'),
    Buffer.from([0x61, 0x3d, 0x79, 0x3a, 0xff, 0xfe, 0x80, 0x0d, 0x0a]),
  ])
  expect(writeSdp(readSdp(bytes)).equals(bytes)).toBe(true)
})

test.each<[string, number, string | undefined, number, string]>([
  ['another version', 1, 'v=1', 1, 'not a v= line by its grammar'],
  ['no version', 1, undefined, 1, 'v= expected'],
  ['no origin', 2, undefined, 2, 'o= expected'],
  ['an origin cut short', 2, 'o=alice 1 1 IN IP4', 2, 'not a o= line by its grammar'],
  ['an origin with a version that is no number', 2, 'o=alice 1 x IN IP4 a.example', 2, 'not a o= line by its grammar'],
  ['an origin with a bad address', 2, 'o=alice 1 1 IN IP4 1.2.3.256', 2, 'not an address of its type'],
  ['no session name', 3, undefined, 3, 's= expected'],
  ['an empty session name', 3, 's=', 3, 'not a s= line by its grammar'],
  ['IPv6 that is none', 4, 'c=IN IP6 2001:db8::1::2', 4, 'not an address of its type'],
  ['a multicast address of unicast type', 4, 'c=IN IP4 10.0.0.1/127', 4, 'not an address of its type'],
  ['two c= for the session', 4, 'c=IN IP4 10.0.0.1\nc=IN IP4 10.0.0.2', 5, 'a second c= for the session'],
  ['no c= at all', 4, undefined, 5, 'no c= for this m= line'],
  ['no time', 5, undefined, 5, 't= expected'],
  ['a time that is none', 5, 't=0', 5, 'not a t= line by its grammar'],
  ['lines out of order', 5, 't=0 0\nc=IN IP4 10.0.0.1', 6, 'no line of this type may stand here'],
  ['a line of a type that is not', 5, 't=0 0\nx=1', 6, 'no line of this type may stand here'],
  ['no line at all', 6, 'hello', 6, 'no line of this type may stand here'],
  ['an empty line inside', 6, '', 6, 'no line of this type may stand here'],
  ['space before the line', 6, ' m=audio 1 RTP/AVP 0', 6, 'no line of this type may stand here'],
  ['a bandwidth without a value', 5, 't=0 0\nb=AS:64', 6, 'no line of this type may stand here'],
  ['a port that is none', 6, 'm=audio 70000 RTP/AVP 0', 6, 'a port beyond 65535'],
  ['a port that is text', 6, 'm=audio x RTP/AVP 0', 6, 'not a m= line by its grammar'],
  ['media without a format', 6, 'm=audio 49170 RTP/AVP', 6, 'not a m= line by its grammar'],
  ['two spaces', 6, 'm=audio 49170  RTP/AVP 0', 6, 'not a m= line by its grammar'],
  ['a payload type beyond 127', 6, 'm=audio 49170 RTP/AVP 128', 6, 'a format that is no RTP payload type'],
  ['an attribute without a name', 7, 'a=:x', 7, 'not a a= line by its grammar'],
  ['an attribute with nothing after its colon', 7, 'a=fmtp:', 7, 'not a a= line by its grammar'],
  ['an rtpmap of no payload type', 7, 'a=rtpmap:128 PCMU/8000', 7, 'not what a=rtpmap may hold'],
  ['a direction with a value', 7, 'a=sendonly:1', 7, 'a=sendonly has no value'],
  ['two directions', 7, 'a=sendonly\na=recvonly', 8, 'a second direction in one section'],
  ['a ptime that is none', 7, 'a=ptime:-20', 7, 'not what a=ptime may hold'],
  ['a lone CR', 7, 'a=x:1\r2', 7, 'a NUL or a lone CR'],
  ['a NUL', 7, 'a=x:1\0', 7, 'a NUL or a lone CR'],
])('%s is refused with its line', (_, line, put, at, reason) => {
  expect(fault(edited(line, put))).toMatchObject({ line: at, reason })
})

test.each<[string, string]>([
  ['a=path:http://alice.example.com', 'not what a=path may hold'],
  ['a=path', 'a=path without a value'],
  ['a=max-size:-1', 'not what a=max-size may hold'],
  ['a=accept-types:text', 'not what a=accept-types may hold'],
  ['a=setup:maybe', 'not what a=setup may hold'],
  ['a=fingerprint:sha-1 4A:G0', 'not what a=fingerprint may hold'],
  ['a=file-selector:name:no-quotes', 'not what a=file-selector may hold'],
  ['a=file-range:1', 'not what a=file-range may hold'],
  ['a=file-icon:http://x', 'not what a=file-icon may hold'],
  ['a=msrp-cema:1', 'a=msrp-cema has no value'],
])('%s is refused', (line, reason) => {
  expect(fault(edited(7, line, rfc4975))).toMatchObject({ line: 7, text: line, reason })
})

test('a second path in one section is refused, so that policy and peer cannot read different ones', () => {
  const twice = rfc4975.replace('a=setup', 'a=path:msrp://evil.example.com/x;tcp\r\na=setup')
  expect(fault(twice)).toMatchObject({ line: 11, reason: 'a second path in one section' })
})

test.each([
  ['IP4 10.0.0.1', true],
  ['IP4 01.2.3.4', false],
  ['IP4 1.2.3', false],
  ['IP4 host.example.com', true],
  ['IP4 224.2.1.1/127', true],
  ['IP4 224.2.1.1/300', false],
  ['IP4 224.2.1.1/127/0', false],
  ['IP6 ::', true],
  ['IP6 ::1', true],
  ['IP6 2001:db8::', true],
  ['IP6 1:2:3:4:5:6:7:8', true],
  ['IP6 1:2:3:4:5:6:7', false],
  ['IP6 1:2:3:4:5:6:7::8', false],
  ['IP6 ::ffff:198.51.100.1', true],
  ['IP6 ::ffff:198.51.100.1:1', false],
  ['IP6 198.51.100.1::', false],
  ['IP6 fe80::1%eth0', false],
  ['IP6 [::1]', false],
  ['IP6 ff15::101/3', true],
  ['IP6 2001:db8::1/3', false],
])('c=IN %s: %s', (address, fits) => {
  expect(fault(edited(4, `c=IN ${address}`)) === undefined).toBe(fits)
})

test('a description cut at any byte is one of fewer lines or is refused where it was cut', () => {
  for (const text of descriptions) {
    for (let end = 0; end < text.length; end++) {
      const cut = text.slice(0, end).trimEnd()
      const found = fault(cut)
      if (found === undefined) expect(sdpText(readSdp(cut)).trimEnd()).toBe(cut)
      // A c= that was cut off is missed at the m= line before it.
      else if (found.text[0] !== 'm') expect(found.line).toBeGreaterThanOrEqual(cut.split('\n').length)
    }
  }
})

test('the descriptions in the torture messages of RFC 4475 are read', () => {
  const folder = new URL('../fixtures/rfc4475/', import.meta.url)
  // What these hold is cut short, folded or no description, as their names say.
  const none = ['dblreq.dat', 'mismatch02.dat', 'test.dat']
  const bodies = readdirSync(folder)
    .filter((file) => !none.includes(file))
    .map((file) => readFileSync(new URL(file, folder), 'latin1').split('\r\nv=0')[1])
    .filter((body) => body !== undefined)
  expect(bodies.length).toBeGreaterThan(15)
  for (const body of bodies) expect(fault(`v=0${body}`)).toBeUndefined()
})

test('too many bytes, lines or media are refused', () => {
  const limits = { maxBytes: 1_000, maxLines: 20, maxMedia: 2 }
  const media = 'm=audio 0 RTP/AVP 0\r\n'
  expect(() => readSdp(rfc3264, limits)).toThrow('more than 2 m= lines')
  expect(() => readSdp(rfc3264 + media.repeat(10), limits)).toThrow('too many lines')
  expect(() => readSdp(rfc3264 + media.repeat(100), limits)).toThrow('more than 1000 bytes')
})
