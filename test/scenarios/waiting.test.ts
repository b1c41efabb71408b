import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { isNotification, notificationOf, sendCpm, writeImdn } from '../support/cpim-text.ts'
import { eventually } from '../support/eventually.ts'
import { HttpClient } from '../support/http-client.ts'
import type { Phone } from '../support/phone.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

interface Message {
  readonly id: string
  readonly from: string
  readonly messageId: string
  readonly contentType: string
  readonly size: number
  readonly delivered: boolean
}

const token = 'an-operators-secret'
let server: TestServer
let alice: Phone
let bob: HttpClient
beforeAll(async () => {
  server = await startServer({ settings: { 'message.absent': 'notify', 'admin.token': token } })
  alice = await server.online('alice')
  bob = new HttpClient(server, 'bob')
})
afterAll(() => server[Symbol.asyncDispose]())
beforeEach(async () => {
  for (const { id } of await list()) expect((await bob.ask('DELETE', `/waiting/${id}`)).status).toBe(204)
})

async function list(client = bob, query = ''): Promise<readonly Message[]> {
  const { status, text } = await client.get(`/waiting${query}`)
  expect(status, text).toBe(200)
  return JSON.parse(text).messages
}

async function keep(text: string, want?: string): Promise<Message> {
  const options = { id: randomUUID(), ...(want !== undefined && { want }) }
  expect((await sendCpm(alice, server.aor('bob'), text, options)).status).toBe(202)
  return (await list()).find(({ messageId }) => messageId === options.id) as Message
}

const imdn = { contentType: 'message/imdn+xml', headers: { 'Content-Disposition': 'notification' } }
const displayedOf = (messageId: string) => writeImdn(messageId, 'displayed', server.aor('bob'))

const stored = async () => (await server.query("select id from messages where direction = 'in'")).length

test('what waits is listed, oldest first, without its content', async () => {
  const [first, second] = [await keep('the first'), await keep('the second')]
  expect(await list()).toEqual([first, second])
  const about = { from: alice.aor, contentType: 'text/plain;charset=UTF-8', delivered: false }
  expect(first).toMatchObject(about)
  expect(first).toMatchObject({ to: server.aor('bob') })
  expect(JSON.stringify(first)).not.toContain('the first')
  expect(JSON.parse((await bob.get(`/waiting/${second.id}`)).text)).toEqual(second)
})

test('a long list comes in pages', async () => {
  const all: Message[] = []
  for (let number = 0; number < 5; number++) all.push(await keep(`number ${number}`))
  const seen: Message[] = []
  for (let query = '?limit=2'; query !== ''; ) {
    const { messages, next } = JSON.parse((await bob.get(`/waiting${query}`)).text)
    expect(messages.length).toBeLessThanOrEqual(2)
    seen.push(...messages)
    query = next === undefined ? '' : `?limit=2&cursor=${next}`
  }
  expect(seen).toEqual(all)
})

test('a message that is fetched waits no more, and stays in the store', async () => {
  const { id } = await keep('to be fetched')
  const before = await stored()
  const fetched = await bob.get(`/waiting/${id}/content`)
  expect(fetched.status).toBe(200)
  expect(fetched.type).toBe('message/cpim')
  expect(fetched.text).toContain('to be fetched')
  expect(fetched.headers).toMatchObject({
    'content-disposition': 'attachment',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  })
  expect(await list()).toEqual([])
  expect((await bob.get(`/waiting/${id}/content`)).status).toBe(404)
  expect(await stored()).toBe(before)
})

test('the sender of a message that is rejected is told, if they asked for it', async () => {
  const before = await stored()
  const [asked, unasked] = [await keep('asked', 'negative-delivery'), await keep('not asked')]
  expect((await bob.ask('POST', `/waiting/${unasked.id}/reject`)).status).toBe(204)
  expect((await bob.ask('POST', `/waiting/${asked.id}/reject`)).status).toBe(204)
  const told = await alice.receive('MESSAGE', isNotification)
  expect(notificationOf(told)).toEqual({ messageId: asked.messageId, disposition: 'failed' })
  expect(await list()).toEqual([])
  expect(await stored()).toBe(before)
  expect((await bob.ask('POST', `/waiting/${asked.id}/reject`)).status).toBe(404)
})

test('a message that is cleared goes, and nobody is told', async () => {
  const before = await stored()
  const { id } = await keep('cleared', 'negative-delivery')
  expect((await bob.ask('DELETE', `/waiting/${id}`)).status).toBe(204)
  expect(await list()).toEqual([])
  expect(await stored()).toBe(before)
  const marker = await keep('marker', 'negative-delivery')
  await bob.ask('POST', `/waiting/${marker.id}/reject`)
  const told = await alice.receive('MESSAGE', isNotification)
  expect(notificationOf(told)?.messageId).toBe(marker.messageId)
})

describe('a message that is read at the store waits no more', () => {
  const box = () => `/nms/v1/parley/${encodeURIComponent(server.aor('bob'))}/objects`

  test('by its payload', async () => {
    const { id } = await keep('a text that is read')
    const { status, text } = await bob.get(`${box()}/${id}/payload`)
    expect(status, text).toBe(200)
    expect(await list()).toEqual([])
  })

  test('by its flag', async () => {
    const [{ id }, other] = [await keep('seen'), await keep('not seen')]
    expect((await bob.ask('PUT', `${box()}/${id}/flags/%5CSeen`)).status).toBeLessThan(300)
    await eventually(async () => expect(await list()).toEqual([other]))
  })

  test('by the notification of a device that it was displayed', async () => {
    const { messageId } = await keep('displayed', 'display')
    const device = await server.phone('bob')
    expect((await device.message(alice.aor, displayedOf(messageId), imdn)).status).toBe(200)
    await alice.receive('MESSAGE', isNotification)
    await eventually(async () => expect(await list()).toEqual([]))
  })

  test('and goes from the queue when it is deleted there', async () => {
    const { id } = await keep('deleted')
    expect((await bob.ask('DELETE', `${box()}/${id}`)).status).toBeLessThan(300)
    expect(await list()).toEqual([])
  })
})

describe('others', () => {
  test('another user sees nothing of it, and can do nothing to it', async () => {
    const { id } = await keep('for bob alone')
    const carol = new HttpClient(server, 'carol')
    expect(await list(carol)).toEqual([])
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/content'],
      ['POST', '/reject'],
      ['DELETE', ''],
    ] as const) {
      expect((await carol.ask(method, `/waiting/${id}${path}`)).status).toBe(404)
    }
    expect(await list()).toHaveLength(1)
  })

  test('whoever does not say who they are, or has a wrong password, gets a challenge and nothing else', async () => {
    const { id } = await keep('for bob alone')
    for (const [method, path] of [
      ['GET', ''],
      ['GET', `/${id}`],
      ['GET', `/${id}/content`],
      ['POST', `/${id}/reject`],
      ['DELETE', `/${id}`],
    ] as const) {
      const { status, headers } = await fetch(`${server.http}/waiting${path}`, { method })
      expect(status).toBe(401)
      expect(headers.get('www-authenticate')).toContain('Digest')
    }
    expect((await new HttpClient(server, 'bob', 'wrong').get('/waiting')).status).toBe(401)
    const guess = { headers: { authorization: 'Bearer guessed' } }
    expect((await fetch(`${server.http}/waiting`, guess)).status).toBe(401)
    expect(await list()).toHaveLength(1)
  })

  test('an access token serves, within its scopes', async () => {
    const { id } = await keep('with a token')
    const tokenFor = async (scope: string) => {
      const body = new URLSearchParams({ grant_type: 'password', username: 'bob', password: 'bob-secret', scope })
      const answer = await fetch(`${server.http}/oauth/token`, { method: 'POST', body })
      const { access_token } = (await answer.json()) as { access_token: string }
      return { authorization: `Bearer ${access_token}` }
    }
    const read = await tokenFor('oma_rest_nms.read')
    expect((await fetch(`${server.http}/waiting`, { headers: read })).status).toBe(200)
    const refused = await fetch(`${server.http}/waiting/${id}`, { method: 'DELETE', headers: read })
    expect(refused.status).toBe(403)
    const headers = await tokenFor('oma_rest_nms.modify')
    expect((await fetch(`${server.http}/waiting/${id}`, { method: 'DELETE', headers })).status).toBe(204)
  })
})

test.each([
  ['/waiting?limit=0'],
  ['/waiting?limit=101'],
  ['/waiting?limit=many'],
  ['/waiting?cursor=forged'],
  [`/waiting?cursor=${Buffer.from('99999999999999999999 x').toString('base64url')}`],
  ['/waiting/not-an-id'],
  [`/waiting/${encodeURIComponent("' or true --")}`],
])('%s is refused', async (path) => {
  expect((await bob.get(path)).status).toBe(400)
})

test('the operator rejects a message, and the sender who asked is told', async () => {
  const { id, messageId } = await keep('by the operator', 'negative-delivery')
  const ask = (authorization: string) =>
    fetch(`${server.http}/admin/v1/deferred/reject?user=${server.aor('bob')}&message=${id}`, {
      method: 'POST',
      headers: { authorization },
    })
  expect((await ask('Bearer wrong')).status).toBe(401)
  expect((await ask(`Bearer ${token}`)).status).toBe(204)
  const told = await alice.receive('MESSAGE', isNotification)
  expect(notificationOf(told)).toEqual({ messageId, disposition: 'failed' })
  expect((await ask(`Bearer ${token}`)).status).toBe(404)
})

test('a message that is being delivered at this moment is not rejected', async () => {
  await using keeping = await startServer({ settings: { 'message.deliverWithin': '200ms' } })
  const [sender, device] = [await keeping.phone('alice'), await keeping.online('bob')]
  const owner = new HttpClient(keeping, 'bob')
  device.answer = () => 'silence'
  expect((await sender.message(device.aor, 'on its way')).status).toBe(202)
  const [message] = await list(owner)
  expect(message).toMatchObject({ delivered: true })
  expect((await owner.ask('POST', `/waiting/${message?.id}/reject`)).status).toBe(409)
  expect(await list(owner)).toHaveLength(1)
})
