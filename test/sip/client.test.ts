import { deflateSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { type Client, createClient, type ReceivedMessage, type ReceivedNotification } from '../../src/client/index.ts'
import { cpimHeader, readCpim } from '../../src/protocols/cpim/cpim.ts'
import { imdnHeaders, readImdn } from '../../src/protocols/imdn/imdn.ts'
import {
  type DigestAlgorithm,
  digestResponse,
  ha1,
  readCredentials,
  writeChallenge,
} from '../../src/protocols/sip/digest.ts'
import type { SipRequest } from '../../src/protocols/sip/message.ts'
import { readNameAddr } from '../../src/protocols/sip/name-addr.ts'
import { responseTo } from '../../src/protocols/sip/respond.ts'
import type { ServerTransaction, Transport } from '../../src/sip/sip-stack.ts'
import { identity, Mailbox, requestTo, StackRig } from './stack-rig.ts'

/** A server that knows one password: asks for credentials, and keeps what it accepts for the test to see. */
class AskingServer {
  readonly accepted = new Mailbox<SipRequest>()
  rig: StackRig
  algorithms: readonly string[] = ['MD5']
  /** How many more nonces are to be found stale. */
  stale = 0
  flow = ''
  status = 200
  #nonces = 0

  private constructor(rig: StackRig) {
    this.rig = rig
  }

  static async start(transport: Transport): Promise<AskingServer> {
    const holder: { server?: AskingServer } = {}
    const onRequest = (transaction: ServerTransaction) => holder.server?.onRequest(transaction)
    const rig = await StackRig.start([transport], { onRequest })
    holder.server = new AskingServer(rig)
    return holder.server
  }

  /** Closes all connections and comes back at the same address. */
  async restart(): Promise<void> {
    const listen = this.rig.listening
    await this.rig.stack.close(AbortSignal.abort())
    this.rig = await StackRig.start([], { listen, onRequest: (transaction) => this.onRequest(transaction) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rig.stack.close(AbortSignal.abort())
  }

  get uri(): string {
    const [{ transport, address, port } = { transport: '', address: '', port: 0 }] = this.rig.listening
    return `sip:${address}:${port};transport=${transport}`
  }

  onRequest(transaction: ServerTransaction): void {
    const { request, source } = transaction
    const isRegister = request.method === 'REGISTER'
    const given = request.headers.get(isRegister ? 'authorization' : 'proxy-authorization')
    if (given === undefined || !this.#isRight(request, given) || this.stale > 0) {
      const asking = given !== undefined && this.stale-- > 0
      const headers = this.algorithms.map(
        (algorithm) =>
          [
            isRegister ? 'WWW-Authenticate' : 'Proxy-Authenticate',
            writeChallenge({
              realm: 'parley.test',
              nonce: `n${++this.#nonces}`,
              algorithm,
              qop: ['auth'],
              stale: asking,
            }),
          ] as const,
      )
      transaction.respond(responseTo(request, isRegister ? 401 : 407, { headers }))
      return
    }
    this.flow = source.flow
    const contact = request.headers.get('contact')
    const headers = isRegister && contact !== undefined ? [['Contact', `${contact};expires=600`] as const] : []
    transaction.respond(responseTo(request, this.status, { headers }))
    this.accepted.put(request)
  }

  async send(
    contact: string,
    type: string,
    body: Buffer,
    more: Readonly<Record<string, string>> = {},
  ): Promise<number> {
    const request = requestTo(contact, { body })
    request.headers.add('Content-Type', type)
    for (const [name, value] of Object.entries(more)) request.headers.add(name, value)
    return (await this.rig.send(request, { flow: this.flow })).response.status
  }

  #isRight(request: SipRequest, given: string): boolean {
    const credentials = readCredentials(given)
    if (credentials === undefined) return false
    const { username, realm, nonce, uri, nc, cnonce, response } = credentials
    const algorithm = credentials.algorithm as DigestAlgorithm
    const secret = ha1(algorithm, 'alice', 'parley.test', 'secret')
    const counted = nc === undefined || cnonce === undefined ? {} : ({ qop: 'auth', nc, cnonce } as const)
    const wanted = digestResponse({ algorithm, ha1: secret, method: request.method, uri, nonce, ...counted })
    return [username, realm, uri, response].join() === ['alice', 'parley.test', request.uri, wanted].join()
  }
}

const clients: Client[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
})

async function aliceAt(server: AskingServer, password = 'secret') {
  const client = createClient({ aor: 'sip:alice@parley.test', password, server: server.uri, ca: identity.cert })
  clients.push(client)
  const messages = new Mailbox<ReceivedMessage>()
  const notifications = new Mailbox<ReceivedNotification>()
  client.on('message', (message) => messages.put(message))
  client.on('notification', (notification) => notifications.put(notification))
  await client.start()
  return { client, messages, notifications }
}

const contactOf = (request: SipRequest) => readNameAddr(request.headers.get('contact') ?? '').uri

describe('the client', () => {
  test.each(['udp', 'tcp', 'tls', 'ws', 'wss'] as const)('registers, sends and receives over %s', async (transport) => {
    await using server = await AskingServer.start(transport)
    const { client, messages } = await aliceAt(server)
    expect(await client.register()).toEqual({ status: 200, reason: 'OK' })
    const registered = await server.accepted.take()
    expect(registered.uri).toBe('sip:parley.test')
    expect(registered.headers.get('contact')).toContain('urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg')

    server.status = 202
    const sent = await client.message('tel:+15550002', 'Grüße 🎉')
    expect(sent).toMatchObject({ status: 202, reason: 'Accepted' })
    const request = await server.accepted.take()
    expect([request.method, request.uri]).toEqual(['MESSAGE', 'tel:+15550002'])
    const cpim = readCpim(request.body)
    expect(cpim.body.toString()).toBe('Grüße 🎉')
    expect(cpimHeader(cpim, 'Message-ID', imdnHeaders)).toBe(sent.messageId)
    expect(cpimHeader(cpim, 'Disposition-Notification', imdnHeaders)).toContain('positive-delivery')

    expect(await server.send(contactOf(registered), 'text/plain', Buffer.from('hallo'))).toBe(200)
    expect(await messages.take()).toMatchObject({
      from: 'sip:alice@parley.test',
      text: 'hallo',
      contentType: 'text/plain',
    })
    server.status = 200
  })

  test('answers the first challenge that it understands, SHA-256 as well, and a nonce that has gone stale', async () => {
    await using server = await AskingServer.start('tcp')
    server.algorithms = ['SHA-512-256', 'SHA-256', 'MD5']
    server.stale = 1
    const { client } = await aliceAt(server)
    expect((await client.register()).status).toBe(200)
    const credentials = readCredentials((await server.accepted.take()).headers.get('authorization') ?? '')
    expect(credentials).toMatchObject({ algorithm: 'SHA-256', qop: 'auth' })
  })

  test('does not insist on a wrong password, nor on a scheme that it does not know', async () => {
    await using server = await AskingServer.start('tcp')
    expect((await (await aliceAt(server, 'wrong')).client.register()).status).toBe(401)
    server.algorithms = ['SHA-512-256']
    expect((await (await aliceAt(server)).client.message('sip:bob@parley.test', 'x')).status).toBe(407)
  })

  test('confirms the delivery of a message that asks for it, once, and tells each message once', async () => {
    await using server = await AskingServer.start('tcp')
    const { client, messages } = await aliceAt(server)
    await client.register()
    const contact = contactOf(await server.accepted.take())
    const body = Buffer.from(
      'From: <sip:anonymous@anonymous.invalid>\r\nTo: <sip:anonymous@anonymous.invalid>\r\n' +
        'NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m1\r\nDateTime: 2024-01-02T03:04:05Z\r\n' +
        'imdn.Disposition-Notification: positive-delivery, display\r\n\r\nContent-Type: text/plain\r\n\r\nhi',
    )
    const asserted = { 'P-Asserted-Identity': '<sip:bob@parley.test>' }
    expect(await server.send(contact, 'message/cpim', body, asserted)).toBe(200)
    expect(await server.send(contact, 'message/cpim', body, asserted)).toBe(200)
    expect(await messages.take()).toEqual({
      from: 'sip:bob@parley.test',
      text: 'hi',
      messageId: 'm1',
      contentType: 'text/plain',
      date: '2024-01-02T03:04:05Z',
    })
    const request = await server.accepted.take()
    expect(request.uri).toBe('sip:bob@parley.test')
    const cpim = readCpim(request.body)
    expect(cpim.content.get('content-disposition')).toBe('notification')
    expect(readImdn(cpim.body)).toMatchObject({
      messageId: 'm1',
      datetime: '2024-01-02T03:04:05Z',
      recipientUri: 'sip:alice@parley.test',
      disposition: { kind: 'delivery', status: 'delivered' },
    })
    expect(cpimHeader(cpim, 'Disposition-Notification', imdnHeaders)).toBeUndefined()
    expect([messages.size, server.accepted.size]).toEqual([0, 0])
  })

  test('tells of notifications, bare and deflated ones too, and confirms none', async () => {
    await using server = await AskingServer.start('tcp')
    const { client, notifications } = await aliceAt(server)
    await client.register()
    const contact = contactOf(await server.accepted.take())
    const imdn = Buffer.from(
      '<?xml version="1.0"?><imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>m2</message-id>' +
        '<datetime>2024-01-02T03:04:05Z</datetime><delivery-notification><status><delivered/></status>' +
        '</delivery-notification></imdn>',
    )
    await server.send(contact, 'message/imdn+xml', deflateSync(imdn), { 'Content-Encoding': 'deflate' })
    expect(await notifications.take()).toEqual({ from: 'sip:alice@parley.test', messageId: 'm2', status: 'delivered' })
    expect(server.accepted.size).toBe(0)
  })

  test('refuses what it cannot read, and what it is not for', async () => {
    await using server = await AskingServer.start('tcp')
    const { client, messages } = await aliceAt(server)
    await client.register()
    const contact = contactOf(await server.accepted.take())
    expect(await server.send(contact, 'message/cpim', Buffer.from('no cpim'))).toBe(400)
    expect(await server.send(contact, 'message/imdn+xml', Buffer.from('<imdn/>'))).toBe(400)
    const over = { flow: server.flow }
    expect((await server.rig.send(requestTo(contact, { method: 'INFO' }), over)).response.status).toBe(405)
    const options = await server.rig.send(requestTo(contact, { method: 'OPTIONS' }), over)
    expect(options.response.headers.get('allow')).toBe('MESSAGE, OPTIONS, NOTIFY')
    expect(messages.size).toBe(0)
  })

  test('registers again when its connection is lost, and gives its binding up at the end', async () => {
    await using server = await AskingServer.start('tcp')
    const { client } = await aliceAt(server)
    await client.register()
    const first = await server.accepted.take()
    await server.restart()
    const again = await server.accepted.take()
    expect([again.method, contactOf(again)]).toEqual(['REGISTER', contactOf(first)])
    expect(again.headers.get('call-id')).toBe(first.headers.get('call-id'))
    await client.close()
    expect((await server.accepted.take()).headers.get('expires')).toBe('0')
  })

  test('cannot be reached by a server that is not there: a 503, not an exception', async () => {
    const server = await AskingServer.start('tcp')
    const { client } = await aliceAt(server)
    await server.rig.stack.close(AbortSignal.abort())
    expect((await client.message('sip:bob@parley.test', 'x')).status).toBe(503)
  })
})
