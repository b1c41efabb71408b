import { expect, test } from 'vitest'
import { icsi, servicesOfDevice, servicesOfRequest, serviceTag } from '../../../src/protocols/cpm/services.ts'
import { Headers } from '../../../src/protocols/sip/headers.ts'
import { readParams } from '../../../src/protocols/sip/params.ts'

const tag = `+g.3gpp.icsi-ref="${icsi.message.replaceAll(':', '%3A')},${icsi.largeMessage}"`

test('a device tells its services in one feature tag, percent-encoded or not', () => {
  const services = servicesOfDevice(readParams(`;${tag}`))
  expect([...(services ?? [])]).toEqual([icsi.message, icsi.largeMessage])
})

test('a device without that feature tag does not speak of services', () => {
  expect(servicesOfDevice(readParams(';+sip.instance="<urn:uuid:1>"'))).toBeUndefined()
})

test.each([
  ['P-Asserted-Service', icsi.largeMessage],
  ['P-Preferred-Service', icsi.largeMessage.toUpperCase()],
  ['Accept-Contact', `*;${serviceTag(icsi.largeMessage)};require;explicit`],
])('a request names its service in %s', (name, value) => {
  expect([...servicesOfRequest(new Headers([[name, value]]))]).toEqual([icsi.largeMessage])
})

test('what the network has asserted counts, and not what Accept-Contact says besides', () => {
  const headers = new Headers([
    ['Accept-Contact', `*;${serviceTag(icsi.session)}`],
    ['P-Asserted-Service', icsi.largeMessage],
  ])
  expect([...servicesOfRequest(headers)]).toEqual([icsi.largeMessage])
})

test('a request that names none has none', () => {
  expect(servicesOfRequest(new Headers([['Accept-Contact', '*;audio']])).size).toBe(0)
})
