import { randomUUID } from 'node:crypto'
import type { Checked } from '../../protocols/sip/check-request.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { readNameAddr } from '../../protocols/sip/name-addr.ts'
import { writeParams } from '../../protocols/sip/params.ts'
import { readUri } from '../../protocols/sip/uri.ts'
import type { Target, Transport } from '../addresses.ts'
import { isTransport } from '../addresses.ts'
import type { ServerTransaction } from '../inbound-request.ts'
import type { ClientTransaction, OnFinal, OnProvisional } from '../outbound-request.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import type { DialogContext, DialogEntry, Towards } from './dialog-context.ts'
import { dialogKey } from './dialog-state.ts'
import type { Reply } from './dialog-user.ts'
import { InviteDialog } from './invite-dialog.ts'
import { defaultSessionPolicy, type SessionPolicy } from './session-terms.ts'

export interface DialogOptions {
  readonly session?: Partial<SessionPolicy> | undefined
  /** Told what a handler threw; the reply is what the peer gets. */
  readonly failed?: ((err: unknown, request: SipRequest) => Reply) | undefined
}

interface Needs extends DialogOptions {
  readonly wheel: TimerWheel
  send(request: SipRequest, target: Target, onFinal: OnFinal, onProvisional?: OnProvisional): ClientTransaction
  sendAck(request: SipRequest, target: Target): void
  transportOf(flow: string): Transport | undefined
  ownUri(transport: Transport): string
}

/** All dialogs by what finds them, and what they share (RFC 3261 §12). */
export class DialogLayer implements DialogContext {
  readonly wheel: TimerWheel
  readonly policy: SessionPolicy
  readonly #needs: Needs
  readonly #dialogs = new Map<string, DialogEntry>()

  constructor(needs: Needs) {
    this.#needs = needs
    this.wheel = needs.wheel
    this.policy = { ...defaultSessionPolicy, ...needs.session }
  }

  get size(): number {
    return this.#dialogs.size
  }

  /** The dialog of that id, with the tags as this end has them. */
  find(callId: string, localTag: string, remoteTag: string): InviteDialog | undefined {
    const found = this.#dialogs.get(dialogKey(callId, localTag, remoteTag))
    return found instanceof InviteDialog ? found : undefined
  }

  /** Gives a request to its dialog. False where there is none. */
  receive(transaction: ServerTransaction): boolean {
    const dialog = this.#dialogOf(transaction.checked)
    dialog?.receive(transaction)
    return dialog !== undefined
  }

  /** An ACK that belongs to no transaction: it is for a 2xx. False where there is no such dialog. */
  receiveAck(ack: SipRequest, checked: Checked): boolean {
    const dialog = this.#dialogOf(checked)
    dialog?.receiveAck(ack, checked.cseq.number)
    return dialog !== undefined
  }

  add(dialog: DialogEntry): void {
    this.#dialogs.set(dialog.key, dialog)
  }

  remove(dialog: DialogEntry): void {
    if (this.#dialogs.get(dialog.key) === dialog) this.#dialogs.delete(dialog.key)
  }

  /** What was below is not there any more: no dialog is known to anything but its peer, who is told. */
  lose(): void {
    for (const dialog of this.#dialogs.values()) if (dialog instanceof InviteDialog) dialog.end({ by: 'lost' }, true)
  }

  /** The stack closes: what is left ends without another word. */
  close(): void {
    for (const dialog of this.#dialogs.values()) dialog.close()
    this.#dialogs.clear()
  }

  random(): number {
    return Math.random()
  }

  /** Who could guess it could speak in the dialog (RFC 3261 §19.3). */
  newTag(): string {
    return randomUUID().slice(0, 23) // of these Node keeps a store: one at a time from the system costs more than all the rest
  }

  send(request: SipRequest, target: Target, onFinal: OnFinal, onProvisional?: OnProvisional): ClientTransaction {
    return this.#needs.send(request, target, onFinal, onProvisional)
  }

  sendAck(request: SipRequest, target: Target): void {
    this.#needs.sendAck(request, target)
  }

  contact(towards: Towards, given: string | undefined): string {
    const reached = this.#needs.ownUri(this.#transportTo(towards))
    const own = towards.isSecure ? reached.replace(/^sip:/, 'sips:').replace(';transport=tls', '') : reached
    if (given === undefined) return `<${own}>`
    const { uri, params } = readNameAddr(given)
    const { user } = readUri(uri)
    const withUser = user === undefined ? own : own.replace(/^sips?:/, (scheme) => `${scheme}${user}@`)
    return `<${withUser}>${writeParams(params)}`
  }

  failed(err: unknown, request: SipRequest): Reply {
    return this.#needs.failed?.(err, request) ?? { status: 500 }
  }

  #dialogOf({ callId, to, from }: Checked): DialogEntry | undefined {
    const localTag = to.params.get('tag')
    if (localTag === undefined || this.#dialogs.size === 0) return undefined
    return this.#dialogs.get(dialogKey(callId, localTag, from.params.get('tag') ?? ''))
  }

  #transportTo({ flow, uri }: Towards): Transport {
    const known = flow === undefined ? undefined : this.#needs.transportOf(flow)
    if (known !== undefined) return known
    const { scheme, params } = readUri(uri)
    const named = params.get('transport')?.toLowerCase()
    if (named !== undefined && isTransport(named)) return named
    return scheme === 'sips' ? 'tls' : 'udp'
  }
}
