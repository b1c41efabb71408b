import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { isIP } from 'node:net'
import { Failure } from '../failure.ts'
import type { SipResponse } from '../protocols/sip/message.ts'
import { responseTo } from '../protocols/sip/respond.ts'
import { readUri } from '../protocols/sip/uri.ts'
import {
  type InboundInvite,
  type ServerTransaction,
  SipStack,
  type StackLog,
  type Transport,
} from '../sip/sip-stack.ts'
import { Account } from './account.ts'
import type { Chat, ChatEvents } from './chat.ts'
import { type Called, type ChatOptions, Chats } from './chats.ts'
import { type ReceivedMessage, type ReceivedNotification, writeNotification, writeText } from './content.ts'
import type { ClientMedia } from './media.ts'
import { readPagerMessage } from './pager-message.ts'
import { RecentIds } from './recent-ids.ts'
import { Registration } from './registration.ts'
import { Requests } from './requests.ts'
import { senderOf } from './sender.ts'
import { featureTag, icsi } from './services.ts'
import type { Subscribing } from './subscription.ts'
import { Subscriptions } from './subscriptions.ts'

export interface ClientOptions {
  /** Who this is: `sip:alice@parley.test`. */
  readonly aor: string
  readonly password: string
  /** Where the server is: `sip:127.0.0.1:5060;transport=tcp`. */
  readonly server: string
  /** Authorities for the server's certificate instead of the well-known ones. PEM. */
  readonly ca?: Buffer
  readonly log?: StackLog
  /** Without it there are no chats. The client closes it. */
  readonly media?: ClientMedia
}

export interface Outcome {
  readonly status: number
  readonly reason: string
}

export interface SentMessage extends Outcome {
  readonly messageId: string
}

export interface Subscribed extends Outcome {
  /** Ends it. */
  stop(): Promise<void>
}

/** Somebody wants to chat. What is neither accepted nor refused at once rings. */
export interface Invitation {
  readonly from: string
  /** Rejects with a Failure when nothing can come of it; the caller has been told. */
  accept(events: ChatEvents): Promise<Chat>
  refuse(status: number): void
}

interface Events {
  message: [ReceivedMessage]
  notification: [ReceivedNotification]
  invitation: [Invitation]
}

const closingMs = 2000

/** One user of the service: the control module that tells what kind of service a request is of (spec/1 §7). */
export class Client extends EventEmitter<Events> {
  readonly #account: Account
  readonly #transport: Transport
  readonly #stack: SipStack
  readonly #requests: Requests
  readonly #registration: Registration
  readonly #media: ClientMedia | undefined
  readonly #chats: Chats | undefined
  readonly #subscriptions: Subscriptions
  readonly #seen = new RecentIds()
  #contact = ''

  constructor(options: ClientOptions) {
    super()
    const server = readUri(options.server)
    this.#account = new Account(options.aor, options.password, server.host)
    this.#transport = transportOf(server.scheme, server.params.get('transport'))
    this.#stack = new SipStack({
      listen: this.#transport === 'udp' ? [{ transport: 'udp', address: localAddress(server.host), port: 0 }] : [],
      limits: { requestsPerSecond: 0, idleMs: 0 },
      log: options.log,
      ...(options.ca && { trust: { ca: options.ca } }),
      dialogs: { failed: (err) => ({ status: err instanceof Failure ? 488 : 500 }) },
      onRequest: (transaction) => this.#onRequest(transaction),
      onFlowClosed: () => this.#registration.onFlowClosed(),
    })
    this.#requests = new Requests({ account: this.#account, stack: this.#stack, server: options.server })
    this.#registration = new Registration({ register: (expires) => this.#register(expires) })
    const contact = () => this.#contact
    this.#subscriptions = new Subscriptions({ requests: this.#requests, contact, domain: this.#account.domain })
    this.#media = options.media
    this.#chats = options.media && this.#newChats(options.media)
  }

  async start(): Promise<void> {
    await this.#stack.start()
    const host = this.#stack.ownUri(this.#transport).replace(/^sip:/, '').replace(/;.*$/, '')
    const way = this.#transport === 'udp' ? '' : `;transport=${this.#transport === 'wss' ? 'ws' : this.#transport}`
    this.#contact = `sip:${this.#account.user}@${host}${way}`
  }

  /** Registers, and keeps registered until `close`. Chats come only to who listens for invitations by now. */
  async register(expires = 600): Promise<Outcome> {
    return outcomeOf(await this.#registration.start(expires))
  }

  async unregister(): Promise<Outcome> {
    return outcomeOf(await this.#registration.stop())
  }

  /** Sends a text to a sip: or tel: address. 200: delivered; 202: kept for the recipient. */
  async message(to: string, text: string): Promise<SentMessage> {
    const messageId = randomUUID()
    const wanted = 'positive-delivery, negative-delivery'
    const response = await this.#sendMessage(to, writeText(text, messageId, wanted, new Date()))
    return { ...outcomeOf(response), messageId }
  }

  /** Is told of something, such as the presence of somebody, until `stop`: refreshed, and made anew when it was lost. */
  async subscribe(to: Subscribing): Promise<Subscribed> {
    const { response, stop } = await this.#subscriptions.open(to)
    return { ...outcomeOf(response), stop }
  }

  /** Calls a sip: or tel: address for a chat. */
  async chat(to: string, options: ChatOptions): Promise<Called> {
    if (this.#chats === undefined) throw new Failure('not-acceptable', 'no media')
    return await this.#chats.open(to, options)
  }

  /** Ends what is under way, gives the registration up if the server answers soon, and lets go of all sockets. */
  async close(): Promise<void> {
    const patience = AbortSignal.timeout(closingMs)
    await Promise.race([this.#end(), once(patience, 'abort')])
    await this.#media?.close()
    await this.#stack.close(patience)
  }

  async #end(): Promise<void> {
    await this.#chats?.close()
    await this.#subscriptions.close()
    await this.#registration.close()
  }

  #newChats(media: ClientMedia): Chats {
    const contact = () => this.#contact
    return new Chats({ own: this.#account.aor, contact, requests: this.#requests, media })
  }

  /** Only what somebody listens for is announced. */
  get #takesChats(): boolean {
    return this.#chats !== undefined && this.listenerCount('invitation') > 0
  }

  get #allow(): string {
    return this.#takesChats
      ? 'MESSAGE, OPTIONS, NOTIFY, INVITE, ACK, CANCEL, BYE, UPDATE, PRACK'
      : 'MESSAGE, OPTIONS, NOTIFY'
  }

  #register(expires: number): Promise<SipResponse> {
    const { aor, domain } = this.#account
    const request = this.#requests.make('REGISTER', `sip:${domain}`, aor, this.#registration.callId)
    const services = this.#takesChats ? (['message', 'session'] as const) : (['message'] as const)
    request.headers.add('Contact', `<${this.#contact}>;${featureTag(services)}`)
    request.headers.add('Expires', String(expires))
    request.headers.add('Supported', 'path')
    request.headers.add('Allow', this.#allow)
    return this.#requests.send(request)
  }

  #sendMessage(to: string, body: Buffer): Promise<SipResponse> {
    const request = this.#requests.make('MESSAGE', to, to, randomUUID(), body)
    request.headers.add('P-Preferred-Service', icsi.message)
    request.headers.add('Accept-Contact', `*;${featureTag(['message'])}`)
    request.headers.add('Conversation-ID', randomUUID())
    request.headers.add('Contribution-ID', randomUUID())
    request.headers.add('Content-Type', 'message/cpim')
    return this.#requests.send(request)
  }

  #onRequest(transaction: ServerTransaction): void {
    const { request } = transaction
    if (request.method === 'MESSAGE') this.#onMessage(transaction)
    else if (request.method === 'NOTIFY') this.#onNotify(transaction)
    else if (request.method === 'INVITE' && this.#takesChats) this.#onInvite(transaction)
    else {
      const status = request.method === 'OPTIONS' ? 200 : 405
      transaction.respond(responseTo(request, status, { headers: [['Allow', this.#allow]] }))
    }
  }

  #onMessage(transaction: ServerTransaction): void {
    if (this.#subscriptions.handleMessage(transaction.request)) {
      transaction.respond(responseTo(transaction.request, 200))
      return
    }
    const content = readPagerMessage(transaction.request)
    transaction.respond(responseTo(transaction.request, content === undefined ? 400 : 200))
    if (content?.kind === 'notification') this.emit('notification', content.notification)
    // After a failure in between the server sends a message once more, with the same id.
    if (content?.kind !== 'message' || !this.#seen.add(`${content.message.from} ${content.message.messageId}`)) return
    this.emit('message', content.message)
    if (content.wanted.delivery) this.#confirm(content.message)
  }

  #onNotify(transaction: ServerTransaction): void {
    let status = 500
    try {
      status = this.#subscriptions.handleNotify(transaction.request)
    } finally {
      transaction.respond(responseTo(transaction.request, status))
    }
  }

  /** Nobody waits for the answer: a notification that does not get through is the sender's loss alone. */
  #confirm(message: ReceivedMessage): void {
    const disposition = { kind: 'delivery', status: 'delivered' } as const
    void this.#sendMessage(message.from, writeNotification(message, disposition, this.#account.aor, new Date()))
  }

  #onInvite(transaction: ServerTransaction): void {
    const invitation = this.#stack.invited(transaction)
    const { objection, message } = invitation
    if (objection !== undefined) {
      invitation.refuse(objection)
      return
    }
    this.emit('invitation', {
      from: senderOf(message.headers),
      accept: (events) => this.#accept(invitation, events),
      refuse: (status) => invitation.refuse({ status }),
    })
  }

  async #accept(invitation: InboundInvite, events: ChatEvents): Promise<Chat> {
    try {
      if (this.#chats === undefined) throw new Failure('not-acceptable', 'no media')
      return await this.#chats.answer(invitation, events)
    } catch (err) {
      invitation.refuse({ status: err instanceof Failure ? 488 : 500 })
      throw err
    }
  }
}

const outcomeOf = ({ status, reason }: SipResponse): Outcome => ({ status, reason })

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
