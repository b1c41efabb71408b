import { expect, test } from 'vitest'
import { agreed, type Remote, remoteOf } from '../../../src/media/rtp/remote.ts'
import { readSdp } from '../../../src/protocols/sdp/read-sdp.ts'
import type { MediaDescription } from '../../../src/protocols/sdp/session-description.ts'

function remote(lines: string, address = '192.0.2.1'): Remote {
  const head = `v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 ${address}\r\nt=0 0\r\n`
  const session = readSdp(`${head}m=audio 4000 RTP/AVP 0\r\n${lines}`)
  return remoteOf(session.media[0] as MediaDescription, session) as Remote
}

const direction = (name: string) => (name === '' ? '' : `a=${name}\r\n`)

test.each([
  ['', '', true, true],
  ['sendonly', 'recvonly', true, false],
  ['recvonly', 'sendonly', false, true],
  ['inactive', 'inactive', false, false],
  ['', 'sendonly', false, true],
  ['', 'recvonly', true, false],
  ['', 'inactive', false, false],
])('offer "%s", answer "%s": who is to be heard', (offered, answered, offerer, answerer) => {
  const [one, other] = [remote(direction(offered)), remote(direction(answered))]
  expect([agreed(one, other).sends, agreed(other, one).sends]).toEqual([offerer, answerer])
})

test('the address 0.0.0.0 is a hold of the old way: its writer takes nothing, and the other may be silent', () => {
  const [holding, held] = [remote('', '0.0.0.0'), remote('')]
  expect(agreed(held, holding).sends).toBe(false)
  expect(agreed(holding, held)).toMatchObject({ sends: true, rtp: undefined })
})

test.each([
  ['a=rtcp-mux\r\n', 'a=rtcp-mux\r\n', true],
  ['a=rtcp-mux\r\n', '', false],
  ['', '', false],
])('RTCP is on one port where both say so: %j, %j', (offered, answered, muxed) => {
  const [one, other] = [remote(offered), remote(answered)]
  expect([agreed(one, other).muxed, agreed(other, one).muxed]).toEqual([muxed, muxed])
})
