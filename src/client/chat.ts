import { randomUUID } from 'node:crypto'
import { Failure } from '../failure.ts'
import type { Disposition } from '../protocols/imdn/imdn.ts'
import { type IsComposing, isComposingType, writeIsComposing } from '../protocols/is-composing/is-composing.ts'
import type { SipRequest } from '../protocols/sip/message.ts'
import type { InviteDialog } from '../sip/sip-stack.ts'
import { OwnComposing, PeerComposing } from './composing.ts'
import {
  type Content,
  type ReceivedMessage,
  type ReceivedNotification,
  readContent,
  writeNotification,
  writeText,
} from './content.ts'
import type { MediaMessage, MessageEnd } from './media.ts'
import { RecentIds } from './recent-ids.ts'

/** What the user hears of a chat. */
export interface ChatEvents {
  onMessage(message: ReceivedMessage): void
  onNotification(notification: ReceivedNotification): void
  /** The peer begins to compose a message, or does not any more. */
  onComposing(composing: boolean): void
  /** `by`: the peer said BYE, or is gone. Not called after `end`. */
  onEnded(by: 'peer' | 'lost'): void
}

interface Needs {
  readonly end: MessageEnd
  /** The address of this user. */
  readonly own: string
  /** The address of the other one. */
  readonly peer: string
  readonly events: ChatEvents
  /** It holds nothing any more. */
  readonly onOver: (chat: Chat) => void
}

const acceptTypes = ['message/cpim', 'text/plain', isComposingType]
const acceptWrappedTypes = ['text/plain', 'message/imdn+xml', isComposingType]
const wanted = 'positive-delivery, negative-delivery, display'

/** One chat session of two: messages with notifications, and who composes one (OMA CPM session, over MSRP). */
export class Chat {
  readonly peer: string
  readonly #needs: Needs
  readonly #composing: OwnComposing
  readonly #peerComposing: PeerComposing
  readonly #seen = new RecentIds()
  /** Messages that were received, whose sender wants to hear that they were displayed. */
  readonly #toDisplay = new WeakSet<ReceivedMessage>()
  #dialog: InviteDialog | undefined
  #over = false

  constructor(needs: Needs) {
    this.#needs = needs
    this.peer = needs.peer
    this.#composing = new OwnComposing((status) => this.#tellComposing(status))
    this.#peerComposing = new PeerComposing((composing) => needs.events.onComposing(composing))
    needs.end.onClosed = () => this.#lost()
  }

  /** What the end is told to take; it hands what comes over here. */
  get taking() {
    return { acceptTypes, acceptWrappedTypes, onMessage: (message: MediaMessage) => this.#take(message) }
  }

  /** The session has begun. */
  begin(dialog: InviteDialog): void {
    this.#dialog = dialog
    dialog.serve({
      onRequest: ({ method }) => ({ status: method === 'INFO' || method === 'OPTIONS' ? 200 : 405 }),
      onOffer: (request) => this.#offered(request),
      onAcknowledged: ({ body }) => this.#acknowledged(body),
      onEnded: ({ by }) => this.#ended(by === 'remote' ? 'peer' : 'lost'),
    })
    if (dialog.state === 'terminated') this.#ended('peer')
  }

  /** Sends a text; resolves with its id when the other end has taken it. Rejects with a Failure when it has not. */
  async send(text: string, messageId: string = randomUUID()): Promise<string> {
    if (this.#over) throw new Failure('unreachable', 'the session is over')
    this.#composing.sent()
    if (this.#takesCpim) await this.#sendCpim(writeText(text, messageId, wanted, new Date()))
    else await this.#needs.end.send({ contentType: 'text/plain;charset=UTF-8', body: Buffer.from(text, 'utf8') })
    return messageId
  }

  /** The user types, and has not sent it yet; with nothing left of it, does not any more. */
  typing(something: boolean): void {
    if (this.#over) return
    if (something) this.#composing.typed()
    else this.#composing.stopped()
  }

  /** The user has seen it (RFC 5438 §7.2.1.2). */
  displayed(message: ReceivedMessage): void {
    if (this.#toDisplay.delete(message)) this.#notify(message, { kind: 'display', status: 'displayed' })
  }

  /** Says BYE; resolves when it is answered. */
  async end(): Promise<void> {
    this.#close()
    await this.#dialog?.bye()
  }

  get #takesCpim(): boolean {
    const { acceptTypes: types = [] } = this.#needs.end.peer ?? {}
    return types.some((type) => type === '*' || /^message\/(?:cpim|\*)$/i.test(type))
  }

  async #take({ messageId, contentType, body }: MediaMessage): Promise<void> {
    const content = readContent({ from: this.peer, contentType, body, id: messageId })
    if (content === undefined) throw new Failure('malformed', contentType)
    if (!this.#over) this.#give(content)
  }

  #give(content: Content): void {
    const { events } = this.#needs
    if (content.kind === 'composing') this.#peerComposing.take(content.composing)
    else if (content.kind === 'notification') events.onNotification(content.notification)
    else this.#giveMessage(content)
  }

  /** One that comes again, in a session that was opened again, is not shown again. */
  #giveMessage({ message, wanted }: Content & { kind: 'message' }): void {
    this.#peerComposing.idle()
    if (wanted.delivery) this.#notify(message, { kind: 'delivery', status: 'delivered' })
    if (!this.#seen.add(message.messageId)) return
    if (wanted.display) this.#toDisplay.add(message)
    this.#needs.events.onMessage(message)
  }

  /** Nobody waits for the answer: a notification that does not get through is the sender's loss alone. */
  #notify(message: ReceivedMessage, disposition: Disposition): void {
    if (this.#over || !this.#takesCpim) return
    this.#sendCpim(writeNotification(message, disposition, this.#needs.own, new Date())).catch(() => {})
  }

  #tellComposing(status: IsComposing): void {
    const types = this.#needs.end.peer?.acceptTypes ?? []
    if (this.#over || !types.some((type) => type === '*' || type.toLowerCase() === isComposingType)) return
    this.#needs.end.send({ contentType: isComposingType, body: writeIsComposing(status) }).catch(() => {})
  }

  #sendCpim(body: Buffer): Promise<void> {
    return this.#needs.end.send({ contentType: 'message/cpim', body })
  }

  /** A later offer of the peer: the message session goes on, and nothing joins it. */
  async #offered({ body }: SipRequest) {
    const { end } = this.#needs
    const sdp = body.length === 0 ? end.offer(this.taking) : await end.answer(body, this.taking)
    return { status: 200, headers: [['Content-Type', 'application/sdp'] as const], body: sdp }
  }

  /** The answer to an offer that the peer asked for. One of no use changes nothing. */
  #acknowledged(answer: Buffer): void {
    if (answer.length > 0) this.#needs.end.answered(answer).catch(() => {})
  }

  #lost(): void {
    if (this.#over) return
    void this.#dialog?.bye()
    this.#ended('lost')
  }

  #ended(by: 'peer' | 'lost'): void {
    if (this.#over) return
    this.#close()
    this.#needs.events.onEnded(by)
  }

  #close(): void {
    if (this.#over) return
    this.#over = true
    this.#composing.sent()
    this.#peerComposing.close()
    this.#needs.end.close()
    this.#needs.onOver(this)
  }
}
