import { expect, test } from 'vitest'
import { featuresOf, preferred, readAcceptContact, rejects } from '../../../src/protocols/sip/accept-contact.ts'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'
import { readParams } from '../../../src/protocols/sip/params.ts'

const features = (params: string) => featuresOf(readParams(params))
const matching = (header: string, contacts: Record<string, string>) =>
  preferred(readAcceptContact([header]), Object.keys(contacts), (name) => features(contacts[name] as string))

/** The contacts of RFC 3841 §7.2.5. */
const contacts = {
  u1: ';audio;video;methods="INVITE,BYE";q=0.2',
  u2: ';audio="FALSE";methods="INVITE";actor="msg-taker";q=0.2',
  u3: ';audio;actor="msg-taker";methods="INVITE";video;q=0.3',
  u4: ';audio;methods="INVITE,OPTIONS";q=0.2',
  u5: ';q=0.5',
}

test('the example of RFC 3841 §7.2.5: who matches all, who is rejected', () => {
  const header = '*;audio;require, *;video;explicit, *;methods="BYE";class="business";q=1.0'
  expect(matching(header, contacts)).toEqual(['u1', 'u5'])
  const [rejected] = readAcceptContact(['*;actor="msg-taker";video'])
  const who = Object.entries(contacts).filter(([, params]) => rejected && rejects(rejected, features(params)))
  expect(who.map(([name]) => name)).toEqual(['u3'])
})

const icsi = 'urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.'

test('a list of service identifiers matches by each of its values, percent-encoded or not, in any case', () => {
  const devices = {
    rcs: `;+g.3gpp.icsi-ref="${icsi}msg,${icsi}largemsg";+sip.instance="<urn:uuid:1>"`,
    plainUrn: ';+g.3gpp.icsi-ref="urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg"',
    upperCase: `;+G.3GPP.ICSI-REF="${icsi.toUpperCase()}MSG"`,
    voice: ';+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"',
    prefix: `;+g.3gpp.icsi-ref="${icsi}msg.group"`,
    instanceOnly: ';+sip.instance="<urn:uuid:2>"',
    plain: ';expires=600',
  }
  const wanted = `*;+g.3gpp.icsi-ref="${icsi}msg"`
  expect(matching(`${wanted};require;explicit`, devices)).toEqual(['rcs', 'plainUrn', 'upperCase', 'plain'])
  expect(matching(wanted, devices)).toEqual(['rcs', 'plainUrn', 'upperCase', 'instanceOnly', 'plain'])
})

test.each([
  [';+a="#=5"', ';+a="#>=3"', true],
  [';+a="#=5"', ';+a="#<=3"', false],
  [';+a="#1:4"', ';+a="#4:9"', true],
  [';+a="#1:4"', ';+a="#-5:0.5"', false],
  [';+a="<Case>"', ';+a="<Case>"', true],
  [';+a="<Case>"', ';+a="<case>"', false],
  [';+a="Token"', ';+a="tOKEN"', true],
  [';+a="!x"', ';+a="y"', true],
  [';+a="!x"', ';+a="x"', false],
  [';+a="!x"', ';+a="x,y"', true],
  [';audio', ';audio="TRUE"', true],
  [';audio', ';audio="FALSE"', false],
  [';audio="FALSE"', ';audio', false],
  [';+a="x,z"', ';+a="y,z"', true],
])('wanted %s, had %s: %s (RFC 3840 §9, RFC 3841 §8)', (wanted, had, expected) => {
  expect(matching(`*${wanted};explicit`, { device: had }).length === 1).toBe(expected)
})

test('require and explicit are no features; what does not begin with * is refused', () => {
  const [predicate] = readAcceptContact(['*;+a;require;explicit'])
  expect(predicate).toEqual({ features: new Map([['+a', undefined]]), require: true, explicit: true })
  expect(() => readAcceptContact(['sip:a@b'])).toThrow(MalformedSip)
  expect(readAcceptContact([''])).toEqual([])
})
