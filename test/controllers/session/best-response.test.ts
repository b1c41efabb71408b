import { expect, test } from 'vitest'
import { bestResponse } from '../../../src/controllers/session/best-response.ts'
import { Headers } from '../../../src/protocols/sip/headers.ts'
import { SipResponse } from '../../../src/protocols/sip/message.ts'

const response = (status: number, fields: readonly (readonly [string, string])[] = []) =>
  new SipResponse(status, '', new Headers(fields))

test.each<[number[], number]>([
  [[486], 486],
  [[486, 603], 603],
  [[600, 486, 401], 600],
  [[606, 407], 606],
  [[486, 407], 407],
  [[404, 486], 404],
  [[480, 486], 486],
  [[408, 404], 404],
  [[486, 415, 404], 415],
  [[404, 420], 420],
  [[500, 486], 486],
  [[503, 500], 500],
  [[503, 486], 486],
  [[503], 503],
  [[604, 603, 401], 604],
])('of %j the caller gets %i', (statuses, best) => {
  expect(bestResponse(statuses.map((status) => response(status)))?.status).toBe(best)
})

test('of nothing there is no best', () => {
  expect(bestResponse([])).toBeUndefined()
})

test('a challenge brings those of the others along', () => {
  const one = response(407, [['Proxy-Authenticate', 'Digest realm="one"']])
  const two = response(401, [['WWW-Authenticate', 'Digest realm="two"']])
  const three = response(486, [['WWW-Authenticate', 'Digest realm="three"']])
  const best = bestResponse([one, two, three])
  expect(best?.status).toBe(407)
  expect(best?.headers.all('proxy-authenticate')).toEqual(['Digest realm="one"'])
  expect(best?.headers.all('www-authenticate')).toEqual(['Digest realm="two"'])
  expect(one.headers.has('www-authenticate')).toBe(false)
})
