import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import type { MessageReply } from './reply.ts'
import type { SessionContent } from './session-message.ts'

/** The dialog of a session that has this server as a party. */
export interface Dialog {
  readonly state: 'early' | 'confirmed' | 'terminated'
  serve(handlers: DialogHandlers): void
  bye(): Promise<void>
}

export interface DialogHandlers {
  onRequest(request: SipRequest): MessageReply | Promise<MessageReply>
  onOffer(request: SipRequest): MessageReply | Promise<MessageReply>
  onEnded(): void
}

/** An INVITE, until its final response. */
export interface Invitation {
  readonly message: SipRequest
  readonly dialog: Dialog
  accept(reply: MessageReply): Dialog
  onCancelled(listener: () => void): void
}

/** What comes of an INVITE of the server's own. */
export interface CallEvents {
  onAnswered(dialog: Dialog, response: SipResponse): undefined
  onFailed(response: SipResponse, local: boolean): void
}

export interface Call {
  cancel(): void
}

/** Content types as session descriptions have them (RFC 4975 §8.6). */
export interface MessageTypes {
  readonly acceptTypes: readonly string[]
  readonly acceptWrappedTypes: readonly string[]
}

/** The server as one party of a message session. */
export interface Endpoint {
  /** Called once, unless `close` was. */
  onClosed: ((why: 'lost' | 'idle' | 'not-connected') => void) | undefined
  /** What the other party takes. */
  readonly peer: (MessageTypes & { readonly maxSize: number | undefined }) | undefined
  answer(offer: Buffer, take: Taking): Promise<Buffer>
  offer(types: MessageTypes & Partial<Pick<Taking, 'onMessage'>>): Buffer
  answered(answer: Buffer): Promise<void>
  send(message: Omit<SessionContent, 'messageId'>): Promise<void>
  close(): void
}

export interface Taking extends MessageTypes {
  /** The sender hears of success when this resolves. */
  onMessage(message: SessionContent): Promise<void>
  /** Something that came was refused with that status of MSRP. */
  onRefused(status: number): void
}
