import { expect, test } from 'vitest'
import { withAttribute } from '../../../src/protocols/sdp/attributes.ts'
import { bitRate, capped } from '../../../src/protocols/sdp/bandwidth.ts'
import {
  answerDirection,
  type Direction,
  directionOf,
  held,
  isHeld,
  mirrored,
  withDirection,
} from '../../../src/protocols/sdp/direction.ts'
import { answerTo, faultOfAnswer, faultOfNext, following, refused } from '../../../src/protocols/sdp/offer-answer.ts'
import { readSdp } from '../../../src/protocols/sdp/read-sdp.ts'
import type { MediaDescription, SessionDescription } from '../../../src/protocols/sdp/session-description.ts'
import { sdpText } from '../../../src/protocols/sdp/write-sdp.ts'
import { rfc3264, rfc3264Answer, rfc4566 } from './descriptions.ts'

const offer = readSdp(rfc3264)
const answer = readSdp(rfc3264Answer)
const firstOf = (description: SessionDescription) => description.media[0] as MediaDescription

test('the answer of RFC 3264 §10.1 is made: same m= lines, the refused one with port 0', () => {
  const [audio, , video] = answer.media
  const { origin, connection } = answer
  const made = answerTo(offer, { origin, connection, media: [audio, undefined, video] })
  expect(sdpText(made)).toBe(rfc3264Answer)
  expect(faultOfAnswer(offer, made)).toBeUndefined()
})

test('an answer with another number of m= lines cannot be made', () => {
  expect(() => answerTo(offer, { origin: answer.origin, media: [] })).toThrow(RangeError)
})

test('an answer that does not fit its offer is found out', () => {
  const [audio, ...rest] = answer.media as [MediaDescription, ...MediaDescription[]]
  const withAudio = (media: MediaDescription) => ({ ...answer, media: [media, ...rest] })
  expect(faultOfAnswer(offer, answer)).toBeUndefined()
  expect(faultOfAnswer(offer, { ...answer, media: [audio] })).toBe('1 m= lines for 3')
  expect(faultOfAnswer(offer, withAudio({ ...audio, media: 'text' }))).toBe('m= line 1: text for audio')
  expect(faultOfAnswer(offer, withAudio({ ...audio, protocol: 'RTP/SAVP' }))).toBe('m= line 1: another protocol')
  const paused = { ...offer, media: offer.media.map((media) => withDirection(media, 'sendonly')) }
  expect(faultOfAnswer(paused, answer)).toBe('m= line 1: sendrecv for sendonly')
  const closed = { ...offer, media: offer.media.map(refused) }
  expect(faultOfAnswer(closed, answer)).toBe('m= line 1: was not offered')
})

test.each<[Direction, Direction, Direction]>([
  ['sendrecv', 'sendrecv', 'sendrecv'],
  ['sendrecv', 'recvonly', 'recvonly'],
  ['sendonly', 'sendrecv', 'recvonly'],
  ['sendonly', 'sendonly', 'inactive'],
  ['recvonly', 'sendrecv', 'sendonly'],
  ['inactive', 'sendrecv', 'inactive'],
])('%s is answered by one who wants %s with %s', (offered, wanted, answered) => {
  expect(answerDirection(offered, wanted)).toBe(answered)
  expect(mirrored(mirrored(offered))).toBe(offered)
})

test('the direction is that of the media, else of the session, else both ways', () => {
  const session = readSdp(rfc4566)
  expect(directionOf(firstOf(session))).toBe('sendrecv')
  expect(directionOf(firstOf(session), session)).toBe('recvonly')
  expect(directionOf(withDirection(firstOf(session), 'inactive'), session)).toBe('inactive')
})

test('hold makes sendrecv sendonly and recvonly inactive, and the old 0.0.0.0 is known', () => {
  const paused = held(offer)
  expect(paused.media.map((media) => directionOf(media, paused))).toEqual(['sendonly', 'sendonly', 'sendonly'])
  expect(paused.media.every((media) => isHeld(media, paused))).toBe(true)
  const listening = held(readSdp(rfc4566))
  expect(listening.media.map((media) => directionOf(media, listening))).toEqual(['inactive', 'inactive'])
  const old = readSdp(rfc3264.replace('c=IN IP4 host.anywhere.com', 'c=IN IP4 0.0.0.0'))
  expect(isHeld(firstOf(old), old)).toBe(true)
  expect(isHeld(firstOf(offer), offer)).toBe(false)
})

test('the version in o= goes up by one on a change, and stays without one', () => {
  expect(following(offer, { ...answer, origin: offer.origin }).origin.version).toBe('2890844527')
  expect(following(offer, { ...offer, origin: answer.origin })).toEqual(offer)
  const high = { ...offer, origin: { ...offer.origin, version: '9007199254740993' } }
  expect(following(high, answer).origin.version).toBe('9007199254740994')
})

test('a later description of the same party may not lose m= lines or change their kind', () => {
  const [audio, ...rest] = offer.media as [MediaDescription, ...MediaDescription[]]
  expect(faultOfNext(offer, offer)).toBeUndefined()
  expect(faultOfNext(offer, { ...offer, media: [audio] })).toBe('fewer m= lines than before')
  expect(faultOfNext(offer, { ...offer, media: [{ ...audio, media: 'text' }, ...rest] })).toBe(
    'm= line 1: another kind of media',
  )
  expect(faultOfNext(offer, { ...offer, media: [{ ...audio, port: 0 }, ...rest] })).toBeUndefined()
  expect(faultOfNext(offer, { ...offer, origin: answer.origin })).toBe('another session id in o=')
})

test('bandwidth is compared in bits a second and lowered to a ceiling', () => {
  const lines = [
    { type: 'AS', value: 512 },
    { type: 'TIAS', value: 500_000 },
    { type: 'RS', value: 800_000 },
  ]
  expect(bitRate(lines)).toBe(500_000)
  expect(bitRate([])).toBeUndefined()
  expect(capped(lines, 64_000)).toEqual([
    { type: 'AS', value: 64 },
    { type: 'TIAS', value: 64_000 },
    { type: 'RS', value: 800_000 },
  ])
  expect(capped([], 64_000)).toEqual([{ type: 'AS', value: 64 }])
})

test('an attribute is put in the place of the one it replaces', () => {
  const put = withAttribute({ attributes: [{ name: 'a', value: '1' }, { name: 'b' }, { name: 'a' }] }, 'a', '2')
  expect(put.attributes).toEqual([{ name: 'a', value: '2' }, { name: 'b' }])
})
