import { readFileSync } from 'node:fs'
import fastify from 'fastify'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { Failure } from '../../src/failure.ts'
import type { AdminNeeds } from '../../src/operations/admin/admin-operations.ts'
import { adminDocument, adminRoutes } from '../../src/operations/admin/admin-routes.ts'
import { HttpServer } from '../../src/operations/http-server.ts'
import { readableLog } from './log-lines.ts'

/** The other parts, as far as the doors of the administration see them. */
function standIns(): Omit<AdminNeeds, 'log'> & { readonly done: string[] } {
  const alice = { id: 1, name: 'Alice', identities: ['sip:alice@parley.test', 'tel:+15550001'] }
  const find = (aor: string) => (alice.identities.includes(aor) ? alice : undefined)
  const done: string[] = []
  return {
    done,
    alarms: { list: () => [], clear: () => 0 },
    waiting: { reject: async (_owner, message) => void done.push(`reject ${message}`) },
    subscribers: {
      find: async (aor) => find(aor),
      add: async ({ uri, name = '' }) => {
        if (find(uri)) throw new Failure('conflict', `${uri} is taken`)
        return { id: 2, name, identities: [uri] }
      },
      change: async (aor, { name }) => {
        if (!find(aor)) throw new Failure('not-found')
        return { ...alice, name: name ?? alice.name }
      },
      remove: async (aor) => void done.push(`remove ${aor}`),
      setPassword: async (aor, password) => void done.push(`password ${aor} ${password}`),
    },
    bindings: { drop: (owner, key) => void done.push(`drop ${owner} ${key}`) },
    deferred: { settle: async (keys) => void done.push(...keys.map(({ message }) => `settle ${message}`)) },
    messages: { remove: async (owner, id) => void done.push(`message ${owner} ${id}`) },
    searches: {
      users: async ({ limit }) => ({
        entries: [{ uri: 'sip:alice@parley.test', identities: alice.identities, name: 'Alice' }].slice(0, limit),
        next: 'WyJzaXA6YWxpY2VAcGFybGV5LnRlc3QiXQ',
      }),
      bindings: async () => ({ entries: [binding] }),
      deferred: async ({ owner }) => ({ entries: [{ ...delivery, user: `owner ${owner}` }] }),
      deferredKeys: async (owner, message) => {
        const keys = [m1, m2].map((id) => ({ owner, device: '', arrived: 1, message: id }))
        return keys.filter((key) => message === undefined || key.message === message)
      },
    },
    messageSearch: {
      copies: async ({ id }, content) => (id === m1 ? [content ? { ...copy, content: 'aGk=' } : copy] : []),
      keys: async ({ id, owner }) => (id === m1 ? [1, 2] : []).map((each) => ({ owner: owner ?? each, id })),
    },
  }
}

const m1 = '00000000-0000-4000-8000-000000000001'
const m2 = '00000000-0000-4000-8000-000000000002'
const epoch = new Date(0).toISOString()
const binding = {
  user: 'sip:alice@parley.test',
  key: 'k1',
  device: 'd',
  contact: 'sip:alice@192.0.2.1',
  registeredAs: 'sip:alice@parley.test',
  transport: 'udp',
  userAgent: 'phone',
  expiresAt: epoch,
}
const delivery = {
  user: 'sip:alice@parley.test',
  message: m1,
  peer: 'sip:bob@parley.test',
  device: '',
  arrivedAt: epoch,
  attempts: 2,
  nextAt: epoch,
  leasedUntil: epoch,
  expiresAt: epoch,
}
const copy = {
  user: 'sip:alice@parley.test',
  id: 'call-1',
  message: m1,
  direction: 'in',
  peer: 'sip:bob@parley.test',
  arrivedAt: epoch,
  stored: true,
  contentType: 'text/plain',
  bytes: 2,
  headers: [{ name: 'Call-ID', value: 'x' }],
}

const token = 'a-token-for-the-tests'
const authorized = { authorization: `Bearer ${token}` }

interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, which the tests look into
  readonly body: any
}

async function startAdmin(options: { token?: string | undefined; now?: () => number } = {}) {
  const needs = standIns()
  const { log, lines } = readableLog()
  const { token: configured, now = Date.now } = { token, ...options }
  const server = new HttpServer({ listen: { address: '127.0.0.1', port: 0 }, log })
  server.register(adminRoutes({ ...needs, log }, { token: configured, now }))
  const { port } = await server.start()
  const close = () => server.close(AbortSignal.abort())
  const ask = async (what: string, body?: unknown, headers: Record<string, string> = authorized): Promise<Answer> => {
    const [method = '', path = ''] = what.split(' ')
    const content = body === undefined ? {} : { 'content-type': 'application/json' }
    const answer = await fetch(`http://127.0.0.1:${port}/admin/v1${path}`, {
      method,
      headers: { ...content, ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) }
  }
  return { ask, done: needs.done, lines, close }
}

let admin: Awaited<ReturnType<typeof startAdmin>>
beforeAll(async () => {
  admin = await startAdmin()
})
beforeEach(() => {
  admin.done.length = 0
})
afterAll(() => admin.close())

// biome-ignore lint/suspicious/noExplicitAny: an OpenAPI document, read as one
const document: any = parse(readFileSync(adminDocument, 'utf8'))

/** One good request for each operation of the document: what it answers, and with what it was asked. */
const good: Readonly<Record<string, readonly [request: string, body: unknown, status: number]>> = {
  listUsers: ['GET /users?limit=1', undefined, 200],
  addUser: ['POST /users', { uri: 'sip:dora@parley.test', password: 'long enough', tel: '+15550009', name: 'D' }, 201],
  findUser: ['GET /users/sip:alice@parley.test', undefined, 200],
  changeUser: ['PATCH /users/sip:alice@parley.test', { name: 'Alicia' }, 200],
  removeUser: ['DELETE /users/sip:alice@parley.test', undefined, 204],
  setPassword: ['PUT /users/sip:alice@parley.test/password', { password: 'long enough' }, 204],
  listAlarms: ['GET /alarms', undefined, 200],
  clearAlarms: ['DELETE /alarms?subject=sip:alice@parley.test', undefined, 200],
  listBindings: ['GET /bindings?user=sip:alice@parley.test', undefined, 200],
  dropBindings: ['DELETE /bindings?user=sip:alice@parley.test&key=k1', undefined, 200],
  listDeferred: ['GET /deferred', undefined, 200],
  removeDeferred: ['DELETE /deferred?user=sip:alice@parley.test', undefined, 200],
  rejectDeferred: [
    'POST /deferred/reject?user=sip:alice@parley.test&message=00000000-0000-4000-8000-000000000001',
    undefined,
    204,
  ],
  findMessage: [`GET /messages/${m1}?content=true`, undefined, 200],
  removeMessage: [`DELETE /messages/${m1}`, undefined, 200],
}

const operations = Object.values(document.paths).flatMap(
  (path) =>
    // biome-ignore lint/suspicious/noExplicitAny: as above
    Object.values(path as any).filter((each: any) => each.operationId),
  // biome-ignore lint/suspicious/noExplicitAny: as above
) as any[]

test('the document has the operations that are tried here, no more and no fewer', () => {
  expect(operations.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(good).sort())
})

test.each(operations.map((each) => [each.operationId as string, each]))(
  '%s answers as its schema says',
  async (id, operation) => {
    const [request, body, status] = good[id] ?? ['', undefined, 0]
    const answer = await admin.ask(request, body)
    expect([answer.status, answer.body?.detail]).toEqual([status, undefined])
    const response = resolved(operation.responses[String(status)])
    const schema = response.content?.['application/json']?.schema
    if (schema === undefined) expect(answer.body).toBeUndefined()
    else expect(await faultsOf(schema, answer.body)).toEqual([])
  },
)

/** The document with its references followed. */
// biome-ignore lint/suspicious/noExplicitAny: as above
function resolved(node: any): any {
  if (Array.isArray(node)) return node.map(resolved)
  if (typeof node !== 'object' || node === null) return node
  if (typeof node.$ref !== 'string') {
    return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, resolved(value)]))
  }
  const path: string[] = node.$ref.slice('#/'.length).split('/')
  return resolved(path.reduce((at, name) => at[name], document))
}

/** What of `body` is not as `schema` says, additional properties included. */
async function faultsOf(schema: object, body: unknown): Promise<unknown[]> {
  const app = fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false } } })
  await app.post('/', { schema: { body: closed(resolved(schema)) } }, async () => 'ok').ready()
  const answer = await app.inject({ method: 'POST', url: '/', payload: body as object })
  await app.close()
  return answer.statusCode === 200 ? [] : [answer.json()]
}

// biome-ignore lint/suspicious/noExplicitAny: as above
function closed(schema: any): any {
  if (schema?.type === 'array') return { ...schema, items: closed(schema.items) }
  if (schema?.type !== 'object') return schema
  const properties = Object.entries(schema.properties ?? {}).map(([name, value]) => [name, closed(value)])
  return { ...schema, properties: Object.fromEntries(properties), additionalProperties: false }
}

test('changes reach the parts that own the data, and the log says which, without passwords', async () => {
  for (const [request, body] of Object.values(good)) await admin.ask(request, body)
  expect(admin.done.sort()).toEqual([
    'drop 1 k1',
    `message 1 ${m1}`,
    `message 2 ${m1}`,
    'password sip:alice@parley.test long enough',
    `reject ${m1}`,
    'remove sip:alice@parley.test',
    `settle ${m1}`,
    `settle ${m1}`,
    `settle ${m1}`,
    `settle ${m2}`,
  ])
  expect(admin.lines.map(({ msg }) => msg)).toContain('password set')
  expect(JSON.stringify(admin.lines)).not.toContain('long enough')
})

test('a new user is answered with the place where they are found', async () => {
  const { headers } = await admin.ask('POST /users', { uri: 'sip:a/b@parley.test', password: 'long enough' })
  expect(headers.get('location')).toBe('/admin/v1/users/sip%3Aa%2Fb%40parley.test')
})

test.each([
  'GET /users/tel:+15550001',
  'GET /users/tel%3A%2B15550001',
  'GET /users/sip:alice@PARLEY.test',
  'GET /bindings?user=tel:+15550001',
  'GET /bindings?user=tel:%2B1-555-0001',
])('a user is found by any of their URIs: %s', async (request) => {
  expect((await admin.ask(request)).status).toBe(200)
})

test('the list of one user asks for theirs only', async () => {
  expect((await admin.ask('GET /deferred?user=sip:alice@parley.test')).body.deferred[0].user).toBe('owner 1')
  expect((await admin.ask('GET /deferred')).body.deferred[0].user).toBe('owner undefined')
})

test.each([
  ['no body', 'POST /users', undefined],
  ['no password', 'POST /users', { uri: 'sip:dora@parley.test' }],
  ['a short password', 'POST /users', { uri: 'sip:dora@parley.test', password: 'short' }],
  ['a password that is a number', 'POST /users', { uri: 'sip:dora@parley.test', password: 123456789 }],
  ['a property that is not known', 'POST /users', { uri: 'sip:d@parley.test', password: 'long enough', admin: true }],
  ['a URI of another kind', 'POST /users', { uri: 'mailto:dora@parley.test', password: 'long enough' }],
  ['a number with letters', 'POST /users', { uri: 'sip:d@parley.test', password: 'long enough', tel: 'CALL-ME' }],
  ['an array', 'POST /users', [{ uri: 'sip:d@parley.test', password: 'long enough' }]],
  ['null', 'POST /users', 'null'],
  ['no JSON', 'POST /users', '{"uri":'],
  ['nothing to change', 'PATCH /users/sip:alice@parley.test', {}],
  ['a password among the changes', 'PATCH /users/sip:alice@parley.test', { password: 'long enough' }],
  ['no new password', 'PUT /users/sip:alice@parley.test/password', {}],
  ['a name that is no URI', 'GET /users/alice', undefined],
  ['a limit of nothing', 'GET /users?limit=0', undefined],
  ['a limit beyond the most', 'GET /users?limit=1001', undefined],
  ['a limit that is no number', 'GET /bindings?limit=1e2', undefined],
  ['two limits', 'GET /bindings?limit=1&limit=2', undefined],
  ['no user', 'DELETE /bindings', undefined],
  ['no user to give up deliveries to', 'DELETE /deferred', undefined],
  ['a user that is no URI', 'GET /deferred?user=alice', undefined],
  ['a cursor that was never given', 'GET /users?cursor=..%2F', undefined],
  ['a delivery by another name', 'DELETE /deferred?user=sip:alice@parley.test&message=m1', undefined],
  ['neither true nor false', 'GET /messages/1?content=yes', undefined],
])('what is not per schema is refused: %s', async (_what, request, body) => {
  const answer = await admin.ask(request, body)
  expect(answer.status).toBe(400)
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  expect(answer.body).toEqual({ status: 400, title: expect.any(String), detail: expect.any(String) })
  expect(admin.done).toEqual([])
})

test('a body of another type is refused, also when its text would do', async () => {
  const text = JSON.stringify({ uri: 'sip:dora@parley.test', password: 'long enough' })
  expect((await admin.ask('POST /users', text, { ...authorized, 'content-type': 'text/plain' })).status).toBe(415)
  expect((await admin.ask('POST /users', `"${'x'.repeat(70_000)}"`)).status).toBe(413)
})

test.each([
  'GET /users/sip:nobody@parley.test',
  'DELETE /users/sip:nobody@parley.test',
  'GET /bindings?user=sip:nobody@parley.test',
  'DELETE /bindings?user=sip:alice@parley.test&key=other',
  'DELETE /deferred?user=sip:alice@parley.test&message=00000000-0000-4000-8000-000000000003',
  `GET /messages/${m2}`,
  `DELETE /messages/${m2}`,
  'GET /nothing',
])('what is not there is 404: %s', async (request) => {
  const answer = await admin.ask(request)
  expect([answer.status, answer.body.status]).toEqual([404, 404])
})

test('a user who is there already is a conflict', async () => {
  const answer = await admin.ask('POST /users', { uri: 'sip:alice@parley.test', password: 'long enough' })
  expect([answer.status, answer.body.detail]).toEqual([409, 'sip:alice@parley.test is taken'])
})

test('another method is answered with those that are served', async () => {
  const answer = await admin.ask('PUT /users/sip:alice@parley.test', {})
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD, PATCH, DELETE'])
})

test('without a configured token nobody may pass, and the problem names the key', async () => {
  const { ask, close } = await startAdmin({ token: undefined })
  onTestFinished(close)
  const answer = await ask('GET /users')
  expect([answer.status, answer.body.detail]).toEqual([403, expect.stringContaining('admin.token')])
})

test.each([
  ['none', {}],
  ['a wrong one', { authorization: 'Bearer wrong' }],
  ['one that begins like it', { authorization: `Bearer ${token.slice(0, -1)}` }],
  ['another scheme', { authorization: `Basic ${token}` }],
] as [string, Record<string, string>][])('with a wrong token, %s, nobody may pass', async (_what, headers) => {
  const answer = await admin.ask('POST /users', 'not even JSON', headers)
  expect(answer.status).toBe(401)
  expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="parley"/)
})

test('whoever guesses is refused for the rest of the minute, also with the right token', async () => {
  let now = 0
  const { ask, close } = await startAdmin({ now: () => now })
  onTestFinished(close)
  for (let tries = 0; tries < 20; tries++) await ask('GET /users', undefined, { authorization: `Bearer ${tries}` })
  const refused = await ask('GET /users')
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60'])
  now = 60_000
  expect((await ask('GET /users')).status).toBe(200)
})
