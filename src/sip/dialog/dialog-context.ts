import type { SipRequest } from '../../protocols/sip/message.ts'
import type { Target } from '../addresses.ts'
import type { ServerTransaction } from '../inbound-request.ts'
import type { ClientTransaction, OnFinal, OnProvisional } from '../outbound-request.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import type { Reply } from './dialog-user.ts'
import type { SessionPolicy } from './session-terms.ts'

/** A dialog as the layer of all dialogs sees it. */
export interface DialogEntry {
  readonly key: string
  receive(transaction: ServerTransaction): void
  receiveAck(ack: SipRequest, cseq: number): void
  /** Ends without a word. */
  close(): void
}

/** The way to a peer, in so far as it tells how this server is reached from there. */
export interface Towards {
  readonly flow: string | undefined
  readonly uri: string
  /** Over TLS from end to end: the Contact is a sips: URI (RFC 3261 §12.1.1). */
  readonly isSecure: boolean
}

/** What dialogs need of the stack. */
export interface DialogContext {
  readonly wheel: TimerWheel
  readonly policy: SessionPolicy
  /** From 0 up to 1. */
  random(): number
  newTag(): string
  send(request: SipRequest, target: Target, onFinal: OnFinal, onProvisional?: OnProvisional): ClientTransaction
  /** Sends an ACK, which has no transaction. */
  sendAck(request: SipRequest, target: Target): void
  /** Contact: this server as it is reached on that way, with the user part and the parameters of `given`. */
  contact(towards: Towards, given: string | undefined): string
  /** What is answered when a handler throws. */
  failed(err: unknown, request: SipRequest): Reply
  add(dialog: DialogEntry): void
  remove(dialog: DialogEntry): void
}
