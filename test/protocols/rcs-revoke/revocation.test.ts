import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MalformedRevocation } from '../../../src/protocols/rcs-revoke/malformed-revocation.ts'
import { readRevocation, writeRevocation } from '../../../src/protocols/rcs-revoke/revocation.ts'

const namespace = 'urn:gsma:params:xml:ns:rcs:rcs:rcsrevoke'
const example = `<?xml version="1.0" encoding="UTF-8"?><MessageRevoke xmlns="${namespace}">
  <Message-ID>m&lt;1</Message-ID><From>sip:a@b</From></MessageRevoke>`
const read = (text: string) => readRevocation(Buffer.from(text))

test('a revocation is read, and what came of one', () => {
  expect(read(example)).toEqual({ messageId: 'm<1' })
  const answer = (result: string) =>
    `<r:MessageRevokeResponse xmlns:r="${namespace}"><r:MessageID>m</r:MessageID>${result}</r:MessageRevokeResponse>`
  expect(read(answer('<r:result>success</r:result>'))).toEqual({ messageId: 'm', result: 'success' })
  expect(read(answer('<r:result>failed</r:result>'))).toEqual({ messageId: 'm', result: 'failed' })
  expect(read(answer(''))).toEqual({ messageId: 'm', result: 'failed' })
})

test('what is written is read back', () => {
  const id = fc.string({ minLength: 1, maxLength: 60 }).filter((one) => one.trim() === one && !/[^\x20-\x7e]/.test(one))
  const results = fc.constantFrom('success', 'failed', undefined)
  fc.assert(
    fc.property(id, results, (messageId, result) => {
      const revocation = { messageId, ...(result !== undefined && { result }) } as const
      expect(readRevocation(writeRevocation(revocation))).toEqual(revocation)
    }),
  )
})

test.each([
  ['', 'nothing'],
  ['<MessageRevoke/>', 'no Message-ID'],
  ['<MessageRevoke><Message-ID> </Message-ID></MessageRevoke>', 'an empty Message-ID'],
  [`<MessageRevoke><Message-ID>${'x'.repeat(1025)}</Message-ID></MessageRevoke>`, 'a Message-ID that is too long'],
  ['<MessageRevoke xmlns="urn:other"><Message-ID>m</Message-ID></MessageRevoke>', 'another namespace'],
  ['<imdn><Message-ID>m</Message-ID></imdn>', 'another document'],
  ['<MessageRevoke><Message-ID>m', 'cut off'],
  [`<!DOCTYPE x [<!ENTITY e "m">]>${example}`, 'a DOCTYPE'],
  [example + ' '.repeat(16_384), 'too large'],
])('%# is refused: %s', (text) => {
  expect(() => read(text)).toThrow(MalformedRevocation)
})

test('whatever bytes come, they are read or refused', () => {
  const tried = (bytes: Buffer) => {
    try {
      readRevocation(bytes)
    } catch (err) {
      expect(err).toBeInstanceOf(MalformedRevocation)
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => tried(Buffer.from(bytes))))
  const spoilt = fc.tuple(fc.nat(example.length - 1), fc.string({ maxLength: 8 }))
  fc.assert(
    fc.property(spoilt, ([at, text]) => tried(Buffer.from(example.slice(0, at) + text + example.slice(at + 3)))),
  )
})
