import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { healthRoutes } from '../../src/operations/health.ts'
import { type HttpOptions, type HttpRoutes, HttpServer } from '../../src/operations/http-server.ts'
import { Metrics } from '../../src/operations/metrics/metrics.ts'
import { metricsRoutes } from '../../src/operations/metrics/metrics-routes.ts'
import { readableLog } from './log-lines.ts'

async function startHttp(routes: HttpRoutes, limits: HttpOptions['limits'] = {}) {
  const { log, lines } = readableLog()
  const server = new HttpServer({ listen: { address: '127.0.0.1', port: 0 }, limits, log }).register(routes)
  const { port } = await server.start()
  onTestFinished(() => server.close(AbortSignal.abort()))
  return { server, port, url: `http://127.0.0.1:${port}`, lines }
}

test('health says live, and ready as long as nothing is missing', async () => {
  const missing: { database: string | undefined } = { database: undefined }
  const { url } = await startHttp(healthRoutes({ database: () => missing.database, sockets: () => undefined }))
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  expect(await (await fetch(`${url}/health/ready`)).json()).toEqual({ status: 'ready' })
  missing.database = 'away'
  const unready = await fetch(`${url}/health/ready`)
  expect(unready.status).toBe(503)
  expect(await unready.json()).toEqual({ status: 'unavailable', reasons: ['database: away'] })
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  missing.database = undefined
  expect((await fetch(`${url}/health/ready`)).status).toBe(200)
})

test('metrics are served as Prometheus reads them', async () => {
  const metrics = new Metrics()
  onTestFinished(() => metrics.close())
  metrics.request('MESSAGE', 200, 0.001)
  const { url } = await startHttp(metricsRoutes(metrics))
  const answer = await fetch(`${url}/metrics`)
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  expect(await answer.text()).toContain('parley_sip_requests_total{method="MESSAGE",status="200"} 1\n')
})

test('errors are problems: unknown paths, other methods, failures, bugs', async () => {
  const { url, lines } = await startHttp(async (app) => {
    app.get('/busy', () => Promise.reject(new Failure('overloaded', 'too much', { retryAfter: 3 })))
    app.get('/bug', () => Promise.reject(new TypeError('secret detail')))
  })
  const unknown = await fetch(`${url}/nowhere`)
  expect(unknown.status).toBe(404)
  expect(unknown.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  const method = await fetch(`${url}/busy?x=1`, { method: 'DELETE' })
  expect([method.status, method.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  const busy = await fetch(`${url}/busy`)
  expect([busy.status, busy.headers.get('retry-after')]).toEqual([503, '3'])
  expect(await busy.json()).toEqual({ status: 503, title: 'Overloaded', detail: 'too much' })
  const bug = await fetch(`${url}/bug`)
  expect(await bug.json()).toEqual({ status: 500, title: 'Internal error' })
  expect(lines).toMatchObject([{ level: 'error', part: 'http', path: '/bug', err: { message: 'secret detail' } }])
})

test('a body that is too long, not JSON, or of a type that nobody reads is refused', async () => {
  const post: HttpRoutes = async (app) => {
    app.post('/echo', async (request) => request.body)
  }
  const { url } = await startHttp(post, { bodyBytes: 100 })
  const send = (body: string, type: string) =>
    fetch(`${url}/echo`, { method: 'POST', body, headers: { 'content-type': type } })
  expect((await send(JSON.stringify('x'.repeat(200)), 'application/json')).status).toBe(413)
  expect((await send('{', 'application/json')).status).toBe(400)
  expect((await send('hello', 'text/plain')).status).toBe(415)
  expect(await (await send('{"a":1}', 'application/json; charset=utf-8')).json()).toEqual({ a: 1 })
})

test('an address that is taken is said with its key and a remedy', async () => {
  const { port } = await startHttp(async () => {})
  const second = new HttpServer({ listen: { address: '127.0.0.1', port }, log: readableLog().log })
  await expect(second.start()).rejects.toThrow(/^http\.listen: 127\.0\.0\.1:\d+ is taken by another program; give/)
})

test('a connection over the limit is closed, and one that never finishes its request as well', async () => {
  const { port } = await startHttp(async () => {}, { connections: 1, requestTime: 200, idleTime: 200 })
  const slow = connect(port, '127.0.0.1').on('error', () => {})
  onTestFinished(() => void slow.destroy())
  const slowClosed = new Promise((resolve) => slow.on('close', resolve))
  await new Promise((resolve) => slow.once('connect', resolve))
  slow.write('GET /health/live HTTP/1.1\r\nX')
  const second = connect(port, '127.0.0.1').on('error', () => {})
  await new Promise((resolve) => second.on('close', resolve))
  slow.resume()
  await slowClosed
})

test('a request of which the body does not come is cut, but for a route that takes its time', async () => {
  const echo = async (request: { body: unknown }) => ({ got: String(request.body) })
  const routes: HttpRoutes = async (app) => {
    app.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => done(null, body))
    app.post('/hurried', echo)
    app.post('/patient', { config: { takesItsTime: true } }, echo)
  }
  const { port } = await startHttp(routes, { requestTime: 150, idleTime: 30_000 })
  const begin = (path: string) => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    onTestFinished(() => void socket.destroy())
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nab`)
    return socket
  }
  const [hurried, patient] = [begin('/hurried'), begin('/patient')]
  hurried.resume()
  await new Promise((resolve) => hurried.once('close', resolve))
  const answer = new Promise<Buffer>((resolve) => patient.once('data', resolve))
  patient.write('cd')
  expect(String(await answer)).toContain('{"got":"abcd"}')
})

test('closing lets a request finish, and cuts it when time is up', async () => {
  let finish = () => {}
  const begun: (() => void)[] = []
  const routes: HttpRoutes = async (app) => {
    app.get('/slow', () => {
      begun.shift()?.()
      return new Promise((resolve) => {
        finish = () => resolve({ done: true })
      })
    })
  }
  const polite = await startHttp(routes)
  const begins = new Promise<void>((resolve) => begun.push(resolve))
  const answer = fetch(`${polite.url}/slow`)
  await begins
  const closed = polite.server.close()
  finish()
  expect(await (await answer).json()).toEqual({ done: true })
  await closed

  const cut = await startHttp(routes)
  const beginsAgain = new Promise<void>((resolve) => begun.push(resolve))
  const lost = fetch(`${cut.url}/slow`).catch(() => 'cut')
  await beginsAgain
  const deadline = new AbortController()
  const cutClosed = cut.server.close(deadline.signal)
  deadline.abort()
  expect(await lost).toBe('cut')
  await cutClosed
})
