import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CallbackRefused, Callbacks } from '../../../src/enablers/message-store/rest/subscriptions/callbacks.ts'
import { isPublicAddress } from '../../../src/enablers/message-store/rest/subscriptions/reachable-address.ts'
import { CallbackReceiver } from '../../support/callback-receiver.ts'

let client: CallbackReceiver
let callbacks: Callbacks
const never = new AbortController().signal
const isLocal = (address: string) => ['127.0.0.1', '::1'].includes(address)
const open = (permits: (address: string) => boolean, timeoutMs = 5_000) => new Callbacks({ permits, timeoutMs })
const post = (url: string, on = callbacks) => on.post({ url, type: 'application/json', body: '{}' }, never)

beforeEach(async () => {
  client = await CallbackReceiver.open()
  callbacks = open(isLocal)
})
afterEach(async () => {
  callbacks.close()
  await client[Symbol.asyncDispose]()
})

test('a name goes where it leads, if it may be called, and the connection is used again', async () => {
  expect((await post(client.url('/a', 'localhost'))).status).toBe(204)
  expect((await post(client.url('/b', 'localhost'))).status).toBe(204)
  expect(client.received.map(({ path, text }) => [path, text])).toEqual([
    ['/a', '{}'],
    ['/b', '{}'],
  ])
})

test('a name that leads to an address of the operator is not called, nor is the address itself', async () => {
  const strict = open(isPublicAddress)
  for (const host of ['localhost', '127.0.0.1', '127.1', '[::ffff:127.0.0.1]', '2130706433']) {
    await expect(post(client.url('/', host), strict), host).rejects.toBeInstanceOf(CallbackRefused)
  }
  strict.close()
  expect(client.received).toEqual([])
})

test('who does not answer in time, or is not there, has not taken it', async () => {
  const hasty = open(isLocal, 50)
  client.answers = ['wait', 'cut']
  await expect(post(client.url(), hasty)).rejects.toThrow()
  await expect(post(client.url(), hasty)).rejects.toThrow()
  const { port } = client
  await client[Symbol.asyncDispose]()
  await expect(post(`http://127.0.0.1:${port}/`)).rejects.toThrow()
  hasty.close()
})

test('an answer says when to try again', async () => {
  client.answers = [503]
  client.headers = { 'retry-after': '7' }
  expect(await post(client.url())).toEqual({ status: 503, retryAfter: 7 })
})

test('an answer without end is not read to its end', async () => {
  const { promise: cut, resolve } = deferred()
  const endless = createServer((_, response) => {
    response.on('close', resolve)
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    }
    response.on('drain', more)
    more()
  })
  await new Promise<void>((listening) => endless.listen(0, '127.0.0.1', listening))
  expect((await post(`http://127.0.0.1:${(endless.address() as AddressInfo).port}/`)).status).toBe(200)
  await cut
  endless.closeAllConnections()
  await new Promise((closed) => endless.close(closed))
})

test('an answer that drips for ever is cut', async () => {
  const { promise: cut, resolve } = deferred()
  const dripping = createServer((_, response) => {
    const drip = setInterval(() => response.write('.'), 10)
    response.on('close', () => clearInterval(drip))
    response.on('close', resolve)
    response.flushHeaders()
  })
  await new Promise<void>((listening) => dripping.listen(0, '127.0.0.1', listening))
  const hasty = open(isLocal, 100)
  expect((await post(`http://127.0.0.1:${(dripping.address() as AddressInfo).port}/`, hasty)).status).toBe(200)
  await cut
  hasty.close()
  await new Promise((closed) => dripping.close(closed))
})

test('what is under way ends with the server', async () => {
  client.answers = ['wait']
  const stop = new AbortController()
  const posted = callbacks.post({ url: client.url(), type: 'text/plain', body: '' }, stop.signal)
  await client.until(1)
  stop.abort()
  await expect(posted).rejects.toThrow()
})

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
