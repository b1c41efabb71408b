import { Failure } from '../../failure.ts'
import { servicesOfRequest } from '../../protocols/cpm/services.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import type { InboundRequest, Invitation, InvitationReply, SipReply } from '../edge/sip-port.ts'
import { allowed, knownMethods, type Route, type RouteMatchers, routesFor, type Service } from './routes.ts'

/** Who a request comes from: an authenticated user, or whom a trusted peer vouches for. */
export interface Sender {
  readonly aor: string
  readonly subscriber?: { readonly id: number; readonly identities: readonly string[] }
  readonly trusted: boolean
  readonly anonymous: boolean
}

/** A request as a controller gets it: classified, its sender known. */
export interface ServiceRequest extends InboundRequest {
  readonly sender: Sender
  /** The canonical address of the request-URI; empty where that names the server itself. */
  readonly recipient: string
}

type Reply = SipReply | Promise<SipReply>
export type Handler = (request: ServiceRequest) => Reply
/** Answers through the invitation; a reply refuses it. */
export type SessionHandler = (invitation: Invitation, sender: Sender, recipient: string) => Invited
type Invited = InvitationReply | Promise<InvitationReply>

/** Those that have a handler of one reply. */
type RepliedService = Exclude<Service, 'noSuchDialog' | 'refer' | InvitedService>
/** Those that answer an INVITE through its invitation. */
type InvitedService = 'session' | 'largeMessage' | 'storeEvents'

const invited: ReadonlySet<Service> = new Set<InvitedService>(['session', 'largeMessage', 'storeEvents'])
const isInvited = (service: Service): service is InvitedService => invited.has(service)

export interface ManagerNeeds extends Omit<RouteMatchers, 'servesSessions'> {
  /** The sender, or the reply that challenges, or a Failure. */
  readonly senderOf: (request: InboundRequest) => Sender | SipReply | Promise<Sender | SipReply>
  /** The canonical address of a URI, the domain standing for the server's own addresses; undefined: names nobody. */
  readonly addressOf: (uri: string) => string | undefined
  readonly domain: string
  readonly handlers: { readonly [service in RepliedService]: Handler } & {
    /** Without it INVITE is not served. */
    readonly session?: SessionHandler
    /** Without it a large message is a session as any other. */
    readonly largeMessage?: SessionHandler
    /** In which devices tell of their store; the same without it. */
    readonly storeEvents?: SessionHandler
    /** Without it REFER is not served outside of sessions. */
    readonly refer?: Handler
  }
}

/** Option tags that this server understands in Require and Proxy-Require (RFC 3261 §8.2.2.3, §16.3). */
const supported: ReadonlySet<string> = new Set([
  'path',
  'outbound',
  'gruu',
  'pref',
  'recipient-list-message',
  'recipient-list-subscribe',
  'eventlist',
  'norefersub',
  'tdialog',
])
/** And those that dialogs understand besides (RFC 3262, RFC 4028, RFC 3891). */
const supportedInSessions: ReadonlySet<string> = new Set(['100rel', 'timer', 'replaces', ...supported])

/** Reads the signature of every request, names its service, and hands it to one controller (spec/1 §2). */
export class SignalManager {
  readonly #needs: ManagerNeeds
  readonly #routes: readonly Route[]

  constructor(needs: ManagerNeeds) {
    this.#needs = needs
    this.#routes = routesFor({ ...needs, servesSessions: this.#servesSessions })
  }

  handle(request: InboundRequest): Reply {
    const { message } = request
    const service = this.#admit(message)
    if (typeof service === 'object') return service
    if (isInvited(service)) return this.#notAllowed()
    const recipient = this.#recipientOf(message.uri)
    if (service === 'capabilities' && recipient === '') return this.#needs.handlers.capabilities(unasked(request))
    const sender = this.#needs.senderOf(request)
    const handler = this.#needs.handlers[service]
    if (handler === undefined) return this.#notAllowed()
    if (sender instanceof Promise) return sender.then((known) => dispatch(handler, request, known, recipient))
    return dispatch(handler, request, sender, recipient)
  }

  /** An INVITE that opens a dialog. A reply refuses it: for what it is, for whom it is from, or because the service says so. */
  handleInvitation(invitation: Invitation): Invited {
    const { message } = invitation
    const service = this.#admit(message)
    if (typeof service === 'object') return service
    const handler = this.#inviteHandler(service)
    if (handler === undefined) return this.#notAllowed()
    const recipient = this.#recipientOf(message.uri)
    const sender = this.#needs.senderOf(invitation)
    if (sender instanceof Promise) return sender.then((known) => invite(handler, invitation, known, recipient))
    return invite(handler, invitation, sender, recipient)
  }

  #inviteHandler(service: Service): SessionHandler | undefined {
    const { session, largeMessage = session, storeEvents = session } = this.#needs.handlers
    if (service === 'largeMessage') return largeMessage
    if (service === 'storeEvents') return storeEvents
    return service === 'session' ? session : undefined
  }

  get #servesSessions(): boolean {
    return this.#needs.handlers.session !== undefined
  }

  /** The service that a request is for, or the reply that it gets before anybody asks who sent it. */
  #admit(message: SipRequest): RepliedService | 'refer' | InvitedService | SipReply {
    if (!knownMethods.has(message.method)) throw new Failure('method-unknown', message.method)
    checkScheme(message.uri)
    checkHops(message)
    const missing = unsupported(message, message.method === 'INVITE' ? supportedInSessions : supported)
    if (missing !== undefined) return badExtension(missing)
    const service = this.#classify(message)
    if (service === undefined) return this.#notAllowed()
    if (service === 'noSuchDialog') return { status: 481, reason: 'Call/Transaction Does Not Exist' }
    return service
  }

  #notAllowed(): SipReply {
    return { status: 405, headers: [['Allow', allowed(this.#servesSessions)]] }
  }

  #classify(message: SipRequest): Service | undefined {
    const inDialog = hasToTag(message)
    for (const route of this.#routes) {
      if (route.method !== undefined && route.method !== message.method) continue
      if (route.inDialog === true && !inDialog) continue
      if (route.requires !== undefined && !optionTags(message, 'require').includes(route.requires)) continue
      if (route.content !== undefined && !route.content(message)) continue
      if (route.service !== undefined && !servicesOfRequest(message.headers).has(route.service)) continue
      return route.to
    }
    return undefined
  }

  /** Empty where the request-URI names the server itself. */
  #recipientOf(uri: string): string {
    const address = this.#needs.addressOf(uri)
    if (address === undefined) throw new Failure('recipient-unknown', uri)
    return address === `sip:${this.#needs.domain}` ? '' : address
  }
}

/** A scheme that is not served is a 416 (RFC 3261 §8.2.2.1). */
function checkScheme(uri: string): void {
  const scheme = uri.slice(0, uri.indexOf(':')).toLowerCase()
  if (scheme !== 'sip' && scheme !== 'sips' && scheme !== 'tel') {
    throw new MalformedSip('Unsupported URI Scheme', 416)
  }
}

/** RFC 3261 §16.3 item 3. What is for the server itself may arrive with no hops left. */
function checkHops(message: SipRequest): void {
  if (message.method === 'REGISTER' || message.method === 'OPTIONS') return
  if (Number(message.headers.get('max-forwards') ?? 70) === 0) throw new MalformedSip('Too Many Hops', 483)
}

function hasToTag(message: SipRequest): boolean {
  const to = message.headers.get('to') ?? ''
  return to.indexOf(';tag=', to.lastIndexOf('>')) !== -1
}

function optionTags(message: SipRequest, header: 'require' | 'proxy-require'): string[] {
  if (!message.headers.has(header)) return []
  return message.headers.all(header).flatMap((value) => value.split(',').map((tag) => tag.trim().toLowerCase()))
}

/** Option tags that are required and not understood, if any. */
function unsupported(message: SipRequest, known: ReadonlySet<string>): string | undefined {
  const required = [...optionTags(message, 'require'), ...optionTags(message, 'proxy-require')]
  const missing = required.filter((tag) => tag !== '' && !known.has(tag))
  return missing.length === 0 ? undefined : missing.join(', ')
}

const badExtension = (missing: string): SipReply => ({
  status: 420,
  reason: 'Bad Extension',
  headers: [['Unsupported', missing]],
})

/** A question to the server itself is answered to anybody: it is how peers and clients see that it lives. */
const unasked = (request: InboundRequest): ServiceRequest => ({
  ...request,
  sender: { aor: '', trusted: false, anonymous: true },
  recipient: '',
})

function dispatch(handler: Handler, request: InboundRequest, sender: Sender | SipReply, recipient: string): Reply {
  if ('status' in sender) return sender
  return handler({ message: request.message, source: request.source, sender, recipient })
}

function invite(
  session: SessionHandler,
  invitation: Invitation,
  sender: Sender | SipReply,
  recipient: string,
): Invited {
  return 'status' in sender ? sender : session(invitation, sender, recipient)
}
