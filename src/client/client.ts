import { randomBytes, randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { isIP } from 'node:net'
import { Headers } from '../protocols/sip/headers.ts'
import { SipRequest, type SipResponse } from '../protocols/sip/message.ts'
import { responseTo } from '../protocols/sip/respond.ts'
import { readUri } from '../protocols/sip/uri.ts'
import { type ServerTransaction, SipStack, type StackLog, type Transport } from '../sip/sip-stack.ts'
import { Account } from './account.ts'
import {
  type ReceivedMessage,
  type ReceivedNotification,
  readContent,
  writeDelivered,
  writeText,
} from './pager-message.ts'
import { RecentIds } from './recent-ids.ts'
import { Registration } from './registration.ts'

export interface ClientOptions {
  /** Who this is: `sip:alice@parley.test`. */
  readonly aor: string
  readonly password: string
  /** Where the server is: `sip:127.0.0.1:5060;transport=tcp`. */
  readonly server: string
  /** Authorities for the server's certificate instead of the well-known ones. PEM. */
  readonly ca?: Buffer
  readonly log?: StackLog
}

export interface Outcome {
  readonly status: number
  readonly reason: string
}

export interface SentMessage extends Outcome {
  readonly messageId: string
}

interface Events {
  message: [ReceivedMessage]
  notification: [ReceivedNotification]
}

const icsi = 'urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg'
/** As a feature tag it is percent-encoded (RFC 6809 §4.1 and TS 24.229 §7.2A.8). */
const icsiTag = `+g.3gpp.icsi-ref="${icsi.replaceAll(':', '%3A')}"`
const allow = 'MESSAGE, OPTIONS'
const closingMs = 2000

/** One user of the service: the control module that tells what kind of service a request is of (spec/1 §7). */
export class Client extends EventEmitter<Events> {
  readonly #account: Account
  readonly #server: string
  readonly #transport: Transport
  readonly #stack: SipStack
  readonly #registration: Registration
  readonly #tag = randomBytes(8).toString('hex')
  readonly #seen = new RecentIds()
  #contact = ''

  constructor(options: ClientOptions) {
    super()
    const server = readUri(options.server)
    this.#account = new Account(options.aor, options.password, server.host)
    this.#server = options.server
    this.#transport = transportOf(server.scheme, server.params.get('transport'))
    this.#stack = new SipStack({
      listen: this.#transport === 'udp' ? [{ transport: 'udp', address: localAddress(server.host), port: 0 }] : [],
      limits: { requestsPerSecond: 0, idleMs: 0 },
      log: options.log,
      ...(options.ca && { trust: { ca: options.ca } }),
      onRequest: (transaction) => this.#onRequest(transaction),
      onFlowClosed: () => this.#registration.onFlowClosed(),
    })
    this.#registration = new Registration({ register: (expires) => this.#register(expires) })
  }

  async start(): Promise<void> {
    await this.#stack.start()
    const host = this.#stack.ownUri(this.#transport).replace(/^sip:/, '').replace(/;.*$/, '')
    const way = this.#transport === 'udp' ? '' : `;transport=${this.#transport === 'wss' ? 'ws' : this.#transport}`
    this.#contact = `sip:${this.#account.user}@${host}${way}`
  }

  /** Registers, and keeps registered until `close`. */
  async register(expires = 600): Promise<Outcome> {
    return outcomeOf(await this.#registration.start(expires))
  }

  async unregister(): Promise<Outcome> {
    return outcomeOf(await this.#registration.stop())
  }

  /** Sends a text to a sip: or tel: address. 200: delivered; 202: kept for the recipient. */
  async message(to: string, text: string): Promise<SentMessage> {
    const messageId = randomUUID()
    const response = await this.#sendMessage(to, writeText(text, messageId, new Date()))
    return { ...outcomeOf(response), messageId }
  }

  /** Gives the registration up, if there is one and the server answers soon, and lets go of all sockets. */
  async close(): Promise<void> {
    const patience = AbortSignal.timeout(closingMs)
    await Promise.race([this.#registration.close(), once(patience, 'abort')])
    await this.#stack.close(patience)
  }

  #register(expires: number): Promise<SipResponse> {
    const request = this.#request(
      'REGISTER',
      `sip:${this.#account.domain}`,
      this.#account.aor,
      this.#registration.callId,
    )
    request.headers.add('Contact', `<${this.#contact}>;${icsiTag}`)
    request.headers.add('Expires', String(expires))
    request.headers.add('Supported', 'path')
    request.headers.add('Allow', allow)
    return this.#send(request)
  }

  #sendMessage(to: string, body: Buffer): Promise<SipResponse> {
    const request = this.#request('MESSAGE', to, to, randomUUID(), body)
    request.headers.add('P-Preferred-Service', icsi)
    request.headers.add('Accept-Contact', `*;${icsiTag}`)
    request.headers.add('Conversation-ID', randomUUID())
    request.headers.add('Contribution-ID', randomUUID())
    request.headers.add('Content-Type', 'message/cpim')
    return this.#send(request)
  }

  #request(method: string, uri: string, to: string, callId: string, body?: Buffer): SipRequest {
    const headers = new Headers([
      ['Max-Forwards', '70'],
      ['From', `<${this.#account.aor}>;tag=${this.#tag}`],
      ['To', `<${to}>`],
      ['Call-ID', callId],
      ['CSeq', `${this.#registration.nextCSeq()} ${method}`],
    ])
    return new SipRequest(method, uri, headers, body)
  }

  /** Sends a request, and once more with credentials if they are asked for; twice if the nonce was stale (RFC 7616 §3.3). */
  async #send(request: SipRequest): Promise<SipResponse> {
    let response = await this.#transact(request)
    for (let left = 2; left > 0 && (response.status === 401 || response.status === 407); left--) {
      const again = new SipRequest(request.method, request.uri, request.headers.clone(), request.body)
      const isRefused = left < 2 && !/stale\s*=\s*"?true/i.test(challengesOf(response))
      if (isRefused || !this.#account.answer(response, again)) return response
      again.headers.set('CSeq', `${this.#registration.nextCSeq()} ${request.method}`)
      response = await this.#transact(again)
    }
    return response
  }

  #transact(request: SipRequest): Promise<SipResponse> {
    const copy = new SipRequest(request.method, request.uri, request.headers.clone(), request.body)
    return new Promise((resolve) => this.#stack.send(copy, { uri: this.#server }, resolve))
  }

  #onRequest(transaction: ServerTransaction): void {
    const { request } = transaction
    if (request.method === 'MESSAGE') this.#onMessage(transaction)
    else {
      const status = request.method === 'OPTIONS' ? 200 : 405
      transaction.respond(responseTo(request, status, { headers: [['Allow', allow]] }))
    }
  }

  #onMessage(transaction: ServerTransaction): void {
    const content = readContent(transaction.request)
    transaction.respond(responseTo(transaction.request, content === undefined ? 400 : 200))
    if (content?.kind === 'notification') this.emit('notification', content.notification)
    // After a failure in between the server sends a message once more, with the same id.
    if (content?.kind !== 'message' || !this.#seen.add(`${content.message.from} ${content.message.messageId}`)) return
    this.emit('message', content.message)
    if (content.wantsDelivery) this.#confirm(content.message)
  }

  /** Nobody waits for the answer: a notification that does not get through is the sender's loss alone. */
  #confirm(message: ReceivedMessage): void {
    void this.#sendMessage(message.from, writeDelivered(message, this.#account.aor, new Date()))
  }
}

const outcomeOf = ({ status, reason }: SipResponse): Outcome => ({ status, reason })

const challengesOf = ({ headers }: SipResponse) =>
  [...headers.all('www-authenticate'), ...headers.all('proxy-authenticate')].join()

function transportOf(scheme: string, named: string | undefined): Transport {
  const name = named?.toLowerCase() ?? (scheme === 'sips' ? 'tls' : 'udp')
  if (name === 'tcp') return scheme === 'sips' ? 'tls' : 'tcp'
  if (name === 'ws') return scheme === 'sips' ? 'wss' : 'ws'
  return name === 'tls' || name === 'wss' ? name : 'udp'
}

/** Where to bind, so that `host` can be reached: loopback for loopback, else any address of its family. */
function localAddress(host: string): string {
  if (host.startsWith('[')) return host === '[::1]' ? '::1' : '::'
  return isIP(host) === 4 && host.startsWith('127.') ? '127.0.0.1' : '0.0.0.0'
}
