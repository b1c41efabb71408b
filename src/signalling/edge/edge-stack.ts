import type { SipRequest } from '../../protocols/sip/message.ts'
import type { Reply } from '../../sip/dialog/dialog-user.ts'
import type { InboundInvite } from '../../sip/dialog/inbound-invite.ts'
import type { InviteDialog } from '../../sip/dialog/invite-dialog.ts'
import type { CallEvents } from '../../sip/dialog/outbound-invite.ts'
import type { ServerTransaction } from '../../sip/inbound-request.ts'
import type { OnFinal } from '../../sip/outbound-request.ts'
import type { TlsIdentity } from '../../sip/transport/tls-options.ts'
import type { ListeningAddress, Reason, Target, Transport } from './sip-port.ts'

/** What the port is built on: transactions and the dialogs over them, in this process or in a daemon. */
export interface EdgeStack {
  start(): Promise<readonly ListeningAddress[]>
  send(request: SipRequest, target: Target, onFinal: OnFinal): { abandon(): void }
  invited(transaction: ServerTransaction): InboundInvite
  invite(request: SipRequest, target: Target, events: CallEvents): { cancel(reason?: Reason): void }
  /** The dialog of that id, with the tags as this end has them. */
  dialog(callId: string, localTag: string, remoteTag: string): InviteDialog | undefined
  isOwnAddress(host: string, port: number | undefined): boolean
  ownUri(transport: Transport): string
  /** What is between this server and the network that is away, if there is such a thing. */
  readonly outage?: string | undefined
  renewTls(tls: TlsIdentity): void
  close(signal: AbortSignal): Promise<void>
}

/** What a stack tells of. */
export interface EdgeUser {
  onRequest(transaction: ServerTransaction): void
  onFlowClosed(flow: string): void
  /** What is answered when a handler within a dialog throws. */
  failed(err: unknown, request: SipRequest): Reply
}
