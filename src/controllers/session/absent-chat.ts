import { Failure } from '../../failure.ts'
import { icsi, serviceTag } from '../../protocols/cpm/services.ts'
import { carriesIsComposing } from '../../protocols/is-composing/carries-is-composing.ts'
import { isComposingType } from '../../protocols/is-composing/is-composing.ts'
import { SipRequest } from '../../protocols/sip/message.ts'
import { descriptionIn } from './description.ts'
import type { DialogHandlers, Fields, Invitation, Reply } from './dialogs.ts'
import type { Sender } from './needs.ts'
import type { SessionRecord } from './session-record.ts'
import type { HeldSession } from './sessions.ts'

/** A message out of a session, whole. */
export interface MessageContent {
  /** Names it within its session. */
  readonly messageId: string
  readonly contentType: string
  readonly body: Buffer
}

/** A message in a chat that the server answered. */
export interface ChatMessage {
  /** That of the session, with the ids of its conversation. */
  readonly invite: SipRequest
  readonly content: MessageContent
  readonly sender: Sender
  readonly recipient: string
  /** Devices of the recipient that were there and did not answer. */
  readonly tried: ReadonlySet<string>
}

interface Taking {
  readonly acceptTypes: readonly string[]
  readonly acceptWrappedTypes: readonly string[]
  onMessage(message: MessageContent): Promise<void>
}

/** The server as a party of a message session. */
export interface Endpoint {
  onClosed: ((why: 'lost' | 'idle' | 'not-connected') => void) | undefined
  readonly peer: { readonly acceptTypes: readonly string[]; readonly acceptWrappedTypes: readonly string[] } | undefined
  answer(offer: Buffer, take: Taking): Promise<Buffer>
  offer(take: Taking): Buffer
  answered(answer: Buffer): Promise<void>
  send(message: MessageContent): Promise<void>
  close(): void
}

export interface AbsentChatNeeds {
  readonly openEndpoint: () => Endpoint
  /** Resolves when the message is safe, or on its way if it is a notification. */
  readonly keep: (message: ChatMessage) => Promise<void>
  readonly newRecord: () => Pick<SessionRecord, 'save' | 'remove'>
  readonly newId: () => string
  readonly onOver: () => void
  readonly log: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
  }
}

export interface AbsentChatOptions {
  readonly invitation: Invitation
  readonly sender: Sender
  readonly recipient: string
  readonly tried: ReadonlySet<string>
}

const taken = ['message/cpim', isComposingType, 'text/plain', '*']
const wrapped = ['text/plain', 'message/imdn+xml', isComposingType, '*']
const description: Fields[number] = ['Content-Type', 'application/sdp']
const contact: Fields[number] = ['Contact', `<sip:chat@features.invalid>;${serviceTag(icsi.session)}`]
const allowed: Fields[number] = ['Allow', 'INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, OPTIONS, INFO, MESSAGE']

/** A chat with somebody who is not there: the server is the callee, and what it acknowledges is committed. */
export class AbsentChat implements HeldSession {
  readonly #needs: AbsentChatNeeds
  readonly #options: AbsentChatOptions
  readonly #endpoint: Endpoint
  /** The INVITE as it is kept with each message. */
  readonly #invite: SipRequest
  readonly #take: Taking
  #record: Pick<SessionRecord, 'save' | 'remove'> | undefined
  #over = false

  constructor(needs: AbsentChatNeeds, options: AbsentChatOptions) {
    this.#needs = needs
    this.#options = options
    this.#invite = inviteTo(options, needs.newId)
    this.#endpoint = needs.openEndpoint()
    this.#endpoint.onClosed = (why) => this.#end(why)
    this.#take = { acceptTypes: taken, acceptWrappedTypes: wrapped, onMessage: (content) => this.#received(content) }
  }

  /** Whether the caller has said that it takes notifications here. */
  get takesNotifications(): boolean {
    const { acceptTypes = [], acceptWrappedTypes = [] } = this.#endpoint.peer ?? {}
    return has(acceptTypes, 'message/cpim') && has(acceptWrappedTypes, 'message/imdn+xml')
  }

  /** Resolves when the caller is answered, or has given up. */
  async begin(): Promise<Reply | undefined> {
    const { invitation } = this.#options
    invitation.onCancelled(() => this.#end('cancelled'))
    invitation.dialog.serve(this.#handlers)
    try {
      const body = await this.#describe(invitation.message)
      if (this.#over || invitation.dialog.state === 'terminated') this.#free()
      else this.#accept(body)
      return undefined
    } catch (err) {
      this.#free()
      throw err
    }
  }

  /** False: the caller has not taken it. */
  async send(content: MessageContent): Promise<boolean> {
    try {
      await this.#endpoint.send(content)
      return true
    } catch (err) {
      if (err instanceof Failure) return false
      throw err
    }
  }

  saveRecord(): void {
    this.#record?.save([this.#options.invitation.dialog])
  }

  async shutDown(): Promise<void> {
    if (this.#over) return
    this.#free()
    await this.#options.invitation.dialog.bye()
  }

  get #handlers(): DialogHandlers {
    return {
      onRequest: (request) => this.#requested(request),
      onOffer: async (request) => ({ status: 200, headers: [description], body: await this.#describe(request) }),
      onAcknowledged: (ack) => void this.#acknowledged(ack),
      onEnded: () => this.#free(),
    }
  }

  #accept(body: Buffer): void {
    this.#options.invitation.accept({ status: 200, headers: [description, contact], body })
    this.#record = this.#needs.newRecord()
    this.saveRecord()
  }

  /** The answer to an offer; an offer to a caller who has made none (RFC 3261 §13.3.1.4). */
  async #describe(request: SipRequest): Promise<Buffer> {
    const offer = descriptionIn(request)
    return offer === undefined ? this.#endpoint.offer(this.#take) : await this.#endpoint.answer(offer.sdp, this.#take)
  }

  async #acknowledged(ack: SipRequest): Promise<void> {
    try {
      const answer = descriptionIn(ack)
      if (answer !== undefined) await this.#endpoint.answered(answer.sdp)
    } catch (err) {
      this.#needs.log.info({ callId: this.#callId, err }, 'answer not taken')
      this.#end('no-answer')
    }
  }

  /** A MESSAGE of the session is one of its messages; nobody is there for all the rest. */
  async #requested(request: SipRequest): Promise<Reply> {
    const { method, headers, body } = request
    if (method === 'OPTIONS' || method === 'INFO') return { status: 200 }
    if (method !== 'MESSAGE') return { status: 405, headers: [allowed] }
    const messageId = `${headers.get('call-id')}.${headers.get('cseq')}`
    await this.#received({ messageId, contentType: headers.get('content-type') ?? 'text/plain', body })
    return { status: 202 }
  }

  /** What is typed just now is of no interest later (RFC 3994). */
  async #received(content: MessageContent): Promise<void> {
    if (carriesIsComposing(content.contentType, content.body)) return
    const { sender, recipient, tried } = this.#options
    try {
      await this.#needs.keep({ invite: this.#invite, content, sender, recipient, tried })
    } catch (err) {
      const { log } = this.#needs
      if (err instanceof Failure) log.info({ callId: this.#callId, err }, 'message of a chat not kept')
      else log.warn({ callId: this.#callId, err }, 'message of a chat not kept')
      throw err
    }
  }

  #end(why: string): void {
    if (this.#over) return
    this.#needs.log.info({ callId: this.#callId, why }, 'chat with somebody absent ended')
    void this.shutDown()
  }

  #free(): void {
    if (this.#over) return
    this.#over = true
    this.#endpoint.close()
    void this.#record?.remove()
    this.#needs.onOver()
  }

  get #callId(): string | undefined {
    return this.#invite.headers.get('call-id')
  }
}

/** All messages of one session have the ids that their caller has left out; the service is named, tags or not. */
function inviteTo({ invitation: { message }, recipient }: AbsentChatOptions, newId: () => string): SipRequest {
  const copy = message.headers.without(notOfMessages)
  for (const name of ['Conversation-ID', 'Contribution-ID']) {
    if (!copy.has(name.toLowerCase())) copy.add(name, newId())
  }
  copy.add('P-Preferred-Service', icsi.session)
  return new SipRequest(message.method, recipient, copy)
}

/** Expires is how long the caller lets it ring. */
const notOfMessages: ReadonlySet<string> = new Set(['expires', 'p-preferred-service'])

const has = (types: readonly string[], type: string): boolean => types.includes('*') || types.includes(type)
