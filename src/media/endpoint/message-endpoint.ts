import { randomInt } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { type Condition, Failure, type Warning } from '../../failure.ts'
import { mediaType } from '../../protocols/mime/content-type.ts'
import { answerDirection, directionOf, withDirection } from '../../protocols/sdp/direction.ts'
import { isMsrp, readMsrpMedia, withMsrpMedia } from '../../protocols/sdp/msrp-media.ts'
import { answerTo, following } from '../../protocols/sdp/offer-answer.ts'
import type {
  Connection,
  MediaDescription,
  Origin,
  SessionDescription,
} from '../../protocols/sdp/session-description.ts'
import { writeSdp } from '../../protocols/sdp/write-sdp.ts'
import { kindOf, MsrpEnd } from '../bridge/msrp-end.ts'
import type { CapabilityController } from '../capability/index.ts'
import { judgeMsrp } from '../capability/message-session.ts'
import { incompatibleTransport, miscellaneous } from '../capability/warnings.ts'
import {
  type IncomingMessage,
  type MsrpPlane,
  type MsrpSession,
  type SessionKind,
  wholeMessages,
} from '../msrp/index.ts'
import { budgeted } from './budgeted-intake.ts'
import { ByteBudget } from './byte-budget.ts'

export interface EndpointNeeds {
  readonly capability: Pick<CapabilityController, 'read'>
  readonly msrp: MsrpPlane
  /** The host that session descriptions have for the server. */
  readonly host: string
  /** Whether this end opens the connection where the peer leaves the choice; it waits unless told otherwise. */
  readonly prefers?: 'active' | 'passive'
  /** Of one message, and of all of a session that are not complete. */
  readonly maxMessageBytes: number
  /** Of all sessions together. */
  readonly memory: ByteBudget
  /** How an offer of the server's own is reached, where that can be had. */
  readonly kind?: SessionKind
  /** Milliseconds that a peer may take to connect. */
  readonly connectWithin: number
  /** Milliseconds without a message after which the session is over. */
  readonly idleAfter: number
}

/** Content types as session descriptions have them (RFC 4975 §8.6): `*`, `text/*` or `text/plain`. */
export interface MessageTypes {
  readonly acceptTypes: readonly string[]
  readonly acceptWrappedTypes: readonly string[]
}

/** A message that has come, whole. */
export interface ReceivedMessage {
  readonly messageId: string
  readonly contentType: string
  readonly body: Buffer
}

export interface Taking extends MessageTypes {
  /** The sender hears 200 when this resolves, that is when the message is safe; a Failure refuses the message. */
  onMessage(message: ReceivedMessage): Promise<void>
  /** Something that came was refused with that status. */
  onRefused?(status: number): void
}

export interface SentMessage {
  readonly contentType: string
  readonly body: Buffer
  readonly messageId?: string
}

/** Why a session ended that the server had not closed. */
export type EndpointClosed = 'lost' | 'idle' | 'not-connected'

/** The server itself as one party of a message session (RFC 4975): it answers an offer, or makes one. */
export class MessageEndpoint {
  /** Called once, unless `close` was. */
  onClosed: ((why: EndpointClosed) => void) | undefined
  readonly #needs: EndpointNeeds
  readonly #connection: Connection
  readonly #origin: Origin
  readonly #facing: { answering: SessionDescription | undefined; passing: undefined } = {
    answering: undefined,
    passing: undefined,
  }
  #end: MsrpEnd | undefined
  #kind: SessionKind | undefined
  /** Our last description, and the place of the m= line in it. */
  #description: SessionDescription | undefined
  #index = 0
  #peer: MediaDescription | undefined
  #closed = false
  #timer: NodeJS.Timeout | undefined
  /** Messages that are being dealt with: the session is not idle. */
  #underWay = 0
  /** Something has come or gone since the timer was looked at. */
  #active = true
  #connectBy = 0

  constructor(needs: EndpointNeeds) {
    this.#needs = needs
    this.#connection = { networkType: 'IN', addressType: isIPv6(needs.host) ? 'IP6' : 'IP4', address: needs.host }
    this.#origin = { username: '-', sessionId: String(randomInt(2 ** 47)), version: '1', ...this.#connection }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** What the other party takes; undefined until it has said so. */
  get peer(): (MessageTypes & { readonly maxSize: number | undefined }) | undefined {
    return this.#peer && readMsrpMedia(this.#peer)
  }

  /** The answer to an offer, also to a later one. Throws Failure when nothing of the offer is a message session. */
  async answer(offer: Buffer, take: Taking): Promise<Buffer> {
    const received = this.#needs.capability.read(offer)
    const index = this.#messageSessionIn(received)
    const offered = received.media[index] as MediaDescription
    this.#facing.answering = received
    const end = this.#openEnd(kindOf(offered), index, take)
    const { media, protocol, formats } = offered
    const bare: MediaDescription = { media, port: 0, protocol, formats, bandwidth: [], attributes: [] }
    const described = this.#withTypes(end.describe(bare), take)
    const own = withDirection(described, answerDirection(directionOf(offered, received)))
    const answered = answerTo(received, {
      origin: this.#origin,
      connection: this.#connection,
      media: received.media.map((_, at) => (at === index ? own : undefined)),
    })
    this.#index = index
    this.#join(offered, received, false)
    return this.#write(answered)
  }

  /** An offer of the server's own. Without `onMessage` what comes is refused. */
  offer(take: MessageTypes & Partial<Taking>): Buffer {
    const kind = this.#kind ?? this.#kindToOffer()
    this.#facing.answering = undefined
    const end = this.#openEnd(kind, 0, { onMessage: refuse, ...take })
    const protocol = `TCP/${kind.transport === 'ws' ? (kind.secure ? 'WSS/' : 'WS/') : kind.secure ? 'TLS/' : ''}MSRP`
    const bare: MediaDescription = {
      ...{ media: 'message', port: 0, protocol, formats: ['*'], bandwidth: [], attributes: [] },
    }
    const media = this.#withTypes(end.describe(bare), take)
    return this.#write({
      ...{ origin: this.#origin, connection: this.#connection, sessionName: '-', emails: [], phones: [] },
      ...{ bandwidth: [], times: [{ start: '0', stop: '0', repeats: [] }], attributes: [], media: [media] },
    })
  }

  /** The answer to that offer. Throws Failure when it takes no message session. */
  async answered(answer: Buffer): Promise<void> {
    const received = this.#needs.capability.read(answer)
    const media = received.media[this.#index]
    const verdict = media && media.port !== 0 ? judgeMsrp(media) : { warning: miscellaneous('no message session') }
    if (media === undefined || verdict !== undefined) throw notAcceptable(verdict)
    this.#join(media, received, true)
  }

  /** Resolves when the peer has acknowledged all of it; rejects with a Failure when it does not. */
  async send(message: SentMessage): Promise<void> {
    if (this.#end === undefined || this.#closed) throw new Failure('unreachable', 'the session is over')
    this.#underWay += 1
    try {
      const { code } = await this.#end.session.send(message)
      if (code !== 200) throw new Failure(conditions[code] ?? 'not-acceptable', `MSRP ${code}`)
    } finally {
      this.#underWay -= 1
      this.#active = true
    }
  }

  /** Frees all. May be called again. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    this.#end?.close()
  }

  /** The first m= line that can be had. */
  #messageSessionIn({ media }: SessionDescription): number {
    const warnings: Warning[] = []
    for (const [index, one] of media.entries()) {
      if (one.media !== 'message' || one.port === 0) continue
      const verdict = isMsrp(one) && !this.#needs.msrp.offers(kindOf(one)) ? unavailable(one) : judgeMsrp(one)
      if (verdict === undefined) return index
      if ('warning' in verdict) warnings.push(verdict.warning)
    }
    throw new Failure('not-acceptable', 'no message session', {
      warnings: warnings.length > 0 ? warnings : [miscellaneous('no message session')],
    })
  }

  /** The end stays the same for as long as the session has it. */
  #openEnd(kind: SessionKind, index: number, take: Taking): MsrpEnd {
    const known = this.#end
    if (known !== undefined) {
      if (this.#index !== index || !sameKind(kind, this.#kind)) throw new Failure('not-acceptable', 'another session')
      return known
    }
    if (this.#closed) throw new Failure('absent', 'the session is over')
    const { msrp, prefers, maxMessageBytes, connectWithin } = this.#needs
    const session = msrp.open({ ...kind, messageBytes: maxMessageBytes })
    const fingerprint = kind.secure ? msrp.fingerprint : undefined
    const end = new MsrpEnd({
      session,
      index,
      facing: this.#facing,
      fingerprint,
      prefers,
      onGone: () => this.#gone('lost'),
    })
    this.#end = end
    this.#kind = kind
    this.#receive(session, take)
    this.#connectBy = performance.now() + connectWithin
    this.#watch()
    return end
  }

  #receive(session: MsrpSession, take: Taking): void {
    const { maxMessageBytes, memory } = this.#needs
    session.onRefused = (status) => take.onRefused?.(status)
    const intake = wholeMessages(maxMessageBytes, (message, body) => this.#take(message, body, take))
    const begin = (message: IncomingMessage) =>
      accepts(take.acceptTypes, message.contentType) ? intake.begin(message) : 415
    const budgets = [new ByteBudget(maxMessageBytes), memory]
    const onBytes = () => {
      this.#active = true
    }
    session.receive(budgeted({ begin }, budgets, onBytes))
  }

  async #take({ messageId, contentType }: IncomingMessage, body: Buffer, take: Taking): Promise<number> {
    this.#underWay += 1
    try {
      await take.onMessage({ messageId, contentType, body })
      return 200
    } catch (err) {
      if (err instanceof Failure) return statuses[err.condition] ?? 413
      throw err
    } finally {
      this.#underWay -= 1
      this.#active = true
    }
  }

  #withTypes(media: MediaDescription, { acceptTypes, acceptWrappedTypes }: MessageTypes): MediaDescription {
    return withMsrpMedia(media, { acceptTypes, acceptWrappedTypes, maxSize: this.#needs.maxMessageBytes })
  }

  #join(media: MediaDescription, described: SessionDescription, answered: boolean): void {
    const before = this.#peer && readMsrpMedia(this.#peer)
    this.#peer = media
    if (before === undefined || before.path.join() !== readMsrpMedia(media).path.join())
      this.#end?.join(media, described, answered)
  }

  #write(next: SessionDescription): Buffer {
    const description = this.#description ? following(this.#description, next) : next
    this.#description = description
    return writeSdp(description)
  }

  #kindToOffer(): SessionKind {
    const { kind: wanted = plain, msrp } = this.#needs
    const kinds = allKinds.filter((one) => msrp.offers(one))
    const kind =
      kinds.find((one) => sameKind(one, wanted)) ??
      kinds.find(({ transport }) => transport === wanted.transport) ??
      kinds[0]
    if (kind === undefined) throw new Failure('not-acceptable', 'no MSRP listener')
    return kind
  }

  /** Looks after a while whether anything has happened. */
  #watch(): void {
    const { idleAfter, connectWithin } = this.#needs
    const after = this.#end?.session.connection === undefined ? Math.min(idleAfter, connectWithin) : idleAfter
    this.#timer = setTimeout(() => this.#look(), after)
    this.#timer.unref()
  }

  #look(): void {
    const isConnected = this.#end?.session.connection !== undefined
    if (!isConnected && performance.now() >= this.#connectBy) this.#gone('not-connected')
    else if (isConnected && this.#underWay === 0 && !this.#active) this.#gone('idle')
    else {
      this.#active = false
      this.#watch()
    }
  }

  #gone(why: EndpointClosed): void {
    if (this.#closed) return
    this.close()
    this.onClosed?.(why)
  }
}

const plain: SessionKind = { secure: false, transport: 'tcp' }
const allKinds: readonly SessionKind[] = [
  plain,
  { secure: true, transport: 'tcp' },
  { secure: false, transport: 'ws' },
  { secure: true, transport: 'ws' },
]

const sameKind = (one: SessionKind, other: SessionKind | undefined): boolean =>
  one.secure === other?.secure && one.transport === other.transport

/** What the answer to a message says of a failure (RFC 4975 §10.1): 413 asks for no more of this one message. */
const statuses: Partial<Readonly<Record<Condition, number>>> = {
  malformed: 400,
  forbidden: 403,
  'unsupported-content': 415,
}

/** And the other way round. */
const conditions: Readonly<Record<number, Condition>> = {
  408: 'unreachable',
  413: 'message-too-large',
  415: 'unsupported-content',
  481: 'unreachable',
  506: 'unreachable',
}

const refuse = (): Promise<void> => Promise.reject(new Failure('forbidden', 'nothing is taken in this session'))

/** Whether a list of content types has this one (RFC 4975 §8.6). */
export function accepts(types: readonly string[], contentType: string): boolean {
  const type = mediaType(contentType)
  const family = `${type.slice(0, type.indexOf('/'))}/*`
  return types.some((one) => one === '*' || one.toLowerCase() === type || one.toLowerCase() === family)
}

const unavailable = ({ media, protocol }: MediaDescription) => ({ warning: incompatibleTransport(media, protocol) })

const notAcceptable = (verdict: object | undefined): Failure =>
  new Failure('not-acceptable', 'no message session', {
    warnings: verdict !== undefined && 'warning' in verdict ? [verdict.warning as Warning] : [],
  })
