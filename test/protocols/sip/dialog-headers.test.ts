import { expect, test } from 'vitest'
import { Headers } from '../../../src/protocols/sip/headers.ts'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'
import { hasToken, tokensOf } from '../../../src/protocols/sip/option-tags.ts'
import { readRAck, readRSeq } from '../../../src/protocols/sip/rack.ts'
import { readReason, writeReason } from '../../../src/protocols/sip/reason.ts'
import { readReplaces, writeReplaces } from '../../../src/protocols/sip/replaces.ts'
import { readMinSE, readSessionExpires, writeSessionExpires } from '../../../src/protocols/sip/session-expires.ts'

const reason = (value: string) => readReason(new Headers([['Reason', value]]))

test('Reason is read and written (RFC 3326 §2)', () => {
  const elsewhere = { protocol: 'SIP', cause: 200, text: 'Call completed elsewhere' }
  expect(reason('SIP ;cause=200 ;text="Call completed elsewhere"')).toEqual(elsewhere)
  expect(reason('Q.850;cause=16, SIP;cause=600')).toEqual({ protocol: 'Q.850', cause: 16 })
  expect(writeReason(elsewhere)).toBe('SIP;cause=200;text="Call completed elsewhere"')
  expect(writeReason({ protocol: 'SIP', text: 'a "b"' })).toBe('SIP;text="a \\"b\\""')
  expect(reason('SIP')).toEqual({ protocol: 'SIP' })
})

test('a Reason that cannot be read is none', () => {
  for (const value of ['', ';cause=1', 'SIP;=', 'SIP;text="open']) expect(reason(value)).toBeUndefined()
  expect(reason('SIP;cause=many')).toEqual({ protocol: 'SIP' })
  expect(readReason(new Headers())).toBeUndefined()
})

test('Replaces is read and written (RFC 3891 §6.1)', () => {
  const value = '425928@bobster.example.org;to-tag=7743;from-tag=6472'
  const read = { callId: '425928@bobster.example.org', toTag: '7743', fromTag: '6472', earlyOnly: false }
  expect(readReplaces(value)).toEqual(read)
  expect(writeReplaces(read)).toBe(value)
  const early = '98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff ;early-only'
  expect(readReplaces(early)).toMatchObject({ callId: '98732@sip.example.com', earlyOnly: true })
  expect(writeReplaces(readReplaces(early))).toBe('98732@sip.example.com;to-tag=ff87ff;from-tag=r33th4x0r;early-only')
  for (const bad of ['', 'a', 'a;to-tag=1', 'a;from-tag=1', ';to-tag=1;from-tag=2']) {
    expect(() => readReplaces(bad)).toThrow(MalformedSip)
  }
})

test('Session-Expires and Min-SE are read and written (RFC 4028 §4, §5)', () => {
  expect(readSessionExpires('4000')).toEqual({ interval: 4000 })
  expect(readSessionExpires('4000;refresher=UAC')).toEqual({ interval: 4000, refresher: 'uac' })
  expect(readSessionExpires('90 ;x=y;refresher=other')).toEqual({ interval: 90 })
  expect(writeSessionExpires({ interval: 90, refresher: 'uas' })).toBe('90;refresher=uas')
  expect(writeSessionExpires({ interval: 90 })).toBe('90')
  expect(readMinSE('60;any')).toBe(60)
  for (const bad of ['', 'soon', '-1', '9999999999']) expect(() => readSessionExpires(bad)).toThrow(MalformedSip)
})

test('RAck and RSeq are read (RFC 3262 §7)', () => {
  expect(readRAck('776656 1 INVITE')).toEqual({ rseq: 776656, cseq: 1, method: 'INVITE' })
  for (const bad of ['', '1', '1 INVITE', 'a 1 INVITE', '1 2']) expect(() => readRAck(bad)).toThrow(MalformedSip)
  expect(readRSeq(' 988789 ')).toBe(988789)
  expect(readRSeq('x')).toBeUndefined()
  expect(readRSeq(undefined)).toBeUndefined()
})

test('lists of tokens are read over several lines, whatever the case', () => {
  const headers = new Headers([
    ['Supported', '100rel, Timer ,'],
    ['k', 'path'],
  ])
  expect(tokensOf(headers, 'supported')).toEqual(['100rel', 'timer', 'path'])
  expect(hasToken(headers, 'supported', 'timer')).toBe(true)
  expect(hasToken(headers, 'require', 'timer')).toBe(false)
})
