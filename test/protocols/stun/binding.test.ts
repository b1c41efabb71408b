import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  isStun,
  readBindingRequest,
  readBindingResponse,
  writeBindingAnswer,
  writeBindingRequest,
} from '../../../src/protocols/stun/binding.ts'
import { MalformedStun } from '../../../src/protocols/stun/malformed-stun.ts'

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex')
const id = hex('b7e7a701bc34d686fa87dfae')

test('the response of RFC 5769 §2.2 is read', () => {
  const bytes = hex(`0101003c 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220
    00200008 0001a147e112a643 00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96`)
  expect(readBindingResponse(bytes)).toEqual({ transactionId: id, mapped: { address: '192.0.2.1', port: 32853 } })
})

test('the addresses of RFC 5769 §2.2 and §2.3 are written', () => {
  const request = readBindingRequest(writeBindingRequest(id))
  if (request === undefined) throw new Error('no request')
  expect(writeBindingAnswer(request, { address: '192.0.2.1', port: 32853 })).toEqual(
    hex('0101000c 2112a442 b7e7a701bc34d686fa87dfae 00200008 0001a147e112a643'),
  )
  expect(writeBindingAnswer(request, { address: '2001:db8:1234:5678:11:2233:4455:6677', port: 32853 })).toEqual(
    hex('01010018 2112a442 b7e7a701bc34d686fa87dfae 00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9'),
  )
})

test('any address comes back as it was written', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 0, max: 65_535 }), (address, port) => {
      const answer = writeBindingAnswer({ transactionId: id, unknown: [] }, { address, port })
      const mapped = readBindingResponse(answer)?.mapped
      expect(mapped?.port).toBe(port)
      expect(
        readBindingResponse(writeBindingAnswer({ transactionId: id, unknown: [] }, mapped as never))?.mapped,
      ).toEqual(mapped)
    }),
  )
})

test('an attribute that must be understood and is not is answered 420 (RFC 8489 §6.3.1)', () => {
  const request = readBindingRequest(hex('00010008 2112a442 b7e7a701bc34d686fa87dfae 00030004 00000000'))
  expect(request?.unknown).toEqual([3])
  const answer = writeBindingAnswer(request as never, { address: '192.0.2.1', port: 1 })
  expect([answer.readUInt16BE(0), answer.readUInt16BE(20), answer.subarray(24, 28)]).toEqual([
    0x0111,
    9,
    hex('00000414'),
  ])
  expect(answer.readUInt16BE(2)).toBe(answer.length - 20)
})

test('SIP and RTP are no STUN; an indication is no request', () => {
  expect(isStun(Buffer.from('OPTIONS sip:a SIP/2.0\r\n\r\n'))).toBe(false)
  expect(isStun(Buffer.from('\r\n\r\n'))).toBe(false)
  expect(readBindingRequest(hex('00110000 2112a442 b7e7a701bc34d686fa87dfae'))).toBeUndefined()
})

test('random bytes are a request, nothing, or MalformedStun', () => {
  const header = fc.uint8Array({ minLength: 12, maxLength: 12 })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), header, fc.boolean(), (random, transactionId, framed) => {
      const rest = Buffer.from(random)
      const head = Buffer.from([0, 1, 0, rest.length, 0x21, 0x12, 0xa4, 0x42, ...transactionId])
      try {
        readBindingRequest(framed ? Buffer.concat([head, rest]) : rest)
        readBindingResponse(framed ? Buffer.concat([Buffer.from([1, 1]), head.subarray(2), rest]) : rest)
      } catch (err) {
        expect(err).toBeInstanceOf(MalformedStun)
      }
    }),
    { numRuns: 2_000 },
  )
})
