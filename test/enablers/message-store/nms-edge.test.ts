import { once } from 'node:events'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nmsDocument } from '../../../src/enablers/message-store/rest/nms-document.ts'
import { registerNms } from '../../../src/enablers/message-store/rest/nms-edge.ts'
import { noContent } from '../../../src/enablers/message-store/rest/nms-operation.ts'
import { formType } from '../../support/nms-client.ts'

const app = fastify()
const bugs: object[] = []
beforeAll(async () => {
  const operations = Object.fromEntries([...nmsDocument().scopes.keys()].map((id) => [id, async () => noContent]))
  const needs = {
    door: {
      principalOf: async ({ authorization }: { authorization: string | undefined }) =>
        authorization === undefined
          ? { status: 401 as const, challenges: ['Bearer'] }
          : { id: 1, identities: ['sip:alice@parley.test'] },
    },
    addressOf: (uri: string) => uri,
    stores: ['parley'],
    url: undefined,
    patience: 50,
    log: { error: (fields: object) => bugs.push(fields) },
  }
  const findFolder = async () => {
    throw new Error('the secret of the house')
  }
  app.register((scope) => registerNms(scope, needs, { ...operations, findFolder }))
  await app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => app.close())

/** Begins a request of which the body never comes; resolves with its answer, if any, when the connection is over. */
async function begin(headers: Record<string, string>): Promise<number | undefined> {
  const { port } = app.server.address() as AddressInfo
  const path = '/nms/v1/parley/acr%3Aauth/objects'
  const sent = request({ port, method: 'POST', path, headers: { 'content-length': '1000', ...headers } })
  let status: number | undefined
  sent.on('error', () => undefined)
  sent.on('response', (response) => {
    status = response.statusCode
    response.resume().on('error', () => undefined)
  })
  sent.write('a')
  const [socket] = await once(sent, 'socket')
  if (!socket.destroyed) await once(socket, 'close')
  return status
}

test('a connection is cut where the body of a request does not come', async () => {
  expect(await begin({ authorization: 'mine', 'content-type': 'application/json' })).toBeUndefined()
})

test('who is refused before an upload came cannot go on for ever with it', async () => {
  expect(await begin({ 'content-type': formType })).toBe(401)
})

test('of a bug the client learns nothing, and the operator all', async () => {
  const url = '/nms/v1/parley/acr%3Aauth/folders/1'
  const { statusCode, body } = await app.inject({ url, headers: { authorization: 'mine', accept: 'application/xml' } })
  expect(statusCode).toBe(500)
  expect(body).toContain('<messageId>SVC0001</messageId>')
  expect(body).not.toContain('secret')
  expect(bugs).toMatchObject([{ err: { message: 'the secret of the house' }, method: 'GET' }])
})

test('every operation of the document names a scope of the store', () => {
  const known = ['all_v1', 'create', 'read', 'modify', 'subscription'].map((name) => `oma_rest_nms.${name}`)
  for (const [operation, scope] of nmsDocument().scopes) expect(known, operation).toContain(scope)
})
