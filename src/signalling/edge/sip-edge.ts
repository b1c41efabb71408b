import type { Logger } from 'pino'
import { Failure } from '../../failure.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import { responseTo } from '../../protocols/sip/respond.ts'
import { byeFor } from '../../sip/dialog/bye-for.ts'
import type { ServerTransaction } from '../../sip/inbound-request.ts'
import type { TlsIdentity } from '../../sip/transport/tls-options.ts'
import { EdgeInvitation } from './edge-invitation.ts'
import type { EdgeStack, EdgeUser } from './edge-stack.ts'
import { replyOf } from './failure-status.ts'
import { takeOwnRoutes } from './own-routes.ts'
import type {
  Call,
  CallEvents,
  Dialog,
  FinalResponse,
  InvitationHandler,
  ListeningAddress,
  Reason,
  RequestHandler,
  Sending,
  SipPort,
  SipReply,
  StoredDialog,
  Target,
  Transport,
} from './sip-port.ts'

export interface EdgeNeeds {
  readonly log: Logger
  readonly now: () => number
  /** Requests under way at once; more are answered 503 at once. 0: no limit. */
  readonly maxUnderWay: number
  readonly observe: (method: string, status: number, seconds: number) => void
}

/** The SIP port, whatever the stack below it is. */
export class SipEdge implements SipPort {
  readonly #needs: EdgeNeeds
  readonly #stack: EdgeStack
  readonly #flowListeners: ((flow: string) => void)[] = []
  #handler: RequestHandler = () => ({ status: 503 })
  #invitationHandler: InvitationHandler | undefined
  #underWay = 0
  #closing = false
  #whenIdle: (() => void) | undefined

  constructor(needs: EdgeNeeds, open: (user: EdgeUser) => EdgeStack) {
    this.#needs = needs
    this.#stack = open({
      failed: (err, request) => this.#failureReply(request, err),
      onRequest: (transaction) => this.#take(transaction),
      onFlowClosed: (flow) => {
        for (const listener of this.#flowListeners) listener(flow)
      },
    })
  }

  get underWay(): number {
    return this.#underWay
  }

  /** Whether host and port of a URI are this server. */
  isOwnAddress(host: string, port: number | undefined): boolean {
    return this.#stack.isOwnAddress(host, port)
  }

  /** The URI at which this server is reached over `transport`. */
  ownUri(transport: Transport): string {
    return this.#stack.ownUri(transport)
  }

  /** The dialog of that id, with the tags as this server has them. */
  dialog(callId: string, localTag: string, remoteTag: string): Dialog | undefined {
    return this.#stack.dialog(callId, localTag, remoteTag)
  }

  /** Why nothing comes in or goes out. */
  get outage(): string | undefined {
    return this.#stack.outage
  }

  /** New connections are shown this certificate. */
  renewTls(tls: TlsIdentity): void {
    this.#stack.renewTls(tls)
  }

  serve(handler: RequestHandler): void {
    this.#handler = handler
  }

  serveInvites(handler: InvitationHandler): void {
    this.#invitationHandler = handler
  }

  invite(request: SipRequest, target: Target, events: CallEvents): Call {
    const call = this.#stack.invite(request, target, events)
    return { cancel: (reason) => call.cancel(reason) }
  }

  byeStored(stored: StoredDialog, reason?: Reason): Sending {
    const { request, target } = byeFor(stored, reason)
    return this.send(request, target)
  }

  onFlowClosed(listener: (flow: string) => void): void {
    this.#flowListeners.push(listener)
  }

  start(): Promise<readonly ListeningAddress[]> {
    return this.#stack.start()
  }

  send(request: SipRequest, target: Target): Sending {
    return new StackSending(this.#stack, request, target)
  }

  async drain(signal: AbortSignal): Promise<void> {
    this.#closing = true
    if (this.#underWay === 0 || signal.aborted) return
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  close(signal: AbortSignal): Promise<void> {
    return this.#stack.close(signal)
  }

  #take(transaction: ServerTransaction): void {
    const started = this.#needs.now()
    if (this.#invitationHandler !== undefined && opensDialog(transaction)) {
      this.#takeInvite(transaction, this.#invitationHandler, started)
      return
    }
    this.#underWay++
    const reply = this.#handle(transaction)
    if (reply instanceof Promise) {
      reply.then(
        (late) => this.#reply(transaction, late, started),
        (err) => this.#reply(transaction, this.#failureReply(transaction.request, err), started),
      )
    } else {
      this.#reply(transaction, reply, started)
    }
  }

  #handle(transaction: ServerTransaction): SipReply | Promise<SipReply> {
    const { request, source } = transaction
    try {
      this.#refuseWhenBusy()
      takeOwnRoutes(request, this.#stack)
      return this.#handler({ message: request, source })
    } catch (err) {
      return this.#failureReply(request, err)
    }
  }

  #takeInvite(transaction: ServerTransaction, handler: InvitationHandler, started: number): void {
    const { request } = transaction
    const observe = (status: number) => this.#needs.observe('INVITE', status, (this.#needs.now() - started) / 1000)
    try {
      this.#refuseWhenBusy()
      takeOwnRoutes(request, this.#stack)
      const invitation = new EdgeInvitation(this.#stack, transaction, observe)
      if (!invitation.isOpen) return
      const reply = handler(invitation)
      if (!(reply instanceof Promise)) invitation.settle(reply)
      else
        reply
          .then((late) => invitation.settle(late))
          .catch((err) => invitation.refuse(this.#failureReply(request, err)))
    } catch (err) {
      const reply = this.#failureReply(request, err)
      transaction.respond(responseTo(request, reply.status, reply))
      observe(reply.status)
    }
  }

  #refuseWhenBusy(): void {
    const { maxUnderWay } = this.#needs
    if (this.#closing) throw new Failure('overloaded', 'shutting down', { retryAfter: 5 })
    if (maxUnderWay > 0 && this.#underWay > maxUnderWay) {
      throw new Failure('overloaded', 'too many requests under way', { retryAfter: 1 })
    }
  }

  #reply(transaction: ServerTransaction, reply: SipReply, started: number): void {
    const { request } = transaction
    transaction.respond(responseTo(request, reply.status, reply))
    this.#needs.observe(request.method, reply.status, (this.#needs.now() - started) / 1000)
    this.#underWay--
    if (this.#underWay === 0) this.#whenIdle?.()
  }

  #failureReply(request: SipRequest, err: unknown): SipReply {
    if (err instanceof MalformedSip) return { status: err.status, reason: err.message }
    if (!(err instanceof Failure)) {
      this.#needs.log.error({ err, method: request.method, callId: request.headers.get('call-id') }, 'request failed')
    }
    return replyOf(err)
  }
}

/** One request under way; a class, so that a message costs one object and no closure but the promise's own. */
class StackSending implements Sending {
  readonly final: Promise<FinalResponse>
  readonly #transaction: { abandon(): void }
  constructor(stack: EdgeStack, request: SipRequest, target: Target) {
    let settle: (final: FinalResponse) => void = () => {}
    this.final = new Promise((resolve) => {
      settle = resolve
    })
    this.#transaction = stack.send(request, target, (response: SipResponse, local: boolean) =>
      settle({ response, local }),
    )
  }
  abandon(): void {
    this.#transaction.abandon()
  }
}

/** An INVITE whose To has no tag; one within a dialog has gone to its dialog, or knows none that there is. */
const opensDialog = ({ request, checked }: ServerTransaction) =>
  request.method === 'INVITE' && !checked.to.params.has('tag')
