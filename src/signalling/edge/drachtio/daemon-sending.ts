import { MalformedSip } from '../../../protocols/sip/malformed-sip.ts'
import type { SipRequest, SipResponse } from '../../../protocols/sip/message.ts'
import { responseTo } from '../../../protocols/sip/respond.ts'
import type { Target } from '../../../sip/addresses.ts'
import type { ClientTransaction, OnFinal, OnProvisional } from '../../../sip/outbound-request.ts'
import type { Timer, TimerTarget, TimerWheel } from '../../../sip/timer-wheel.ts'
import { contentOf, objectionTo, ofTheDaemon, readCarried } from './carried.ts'
import { nextHop } from './next-hop.ts'
import type { SrfAck, SrfError, SrfHeaders, SrfRequest, SrfResponse, SrfSending } from './srf.ts'

export interface SendingNeeds {
  readonly wheel: TimerWheel
  readonly daemon: {
    readonly isConnected: boolean
    request(sending: SrfSending, sent: (err: SrfError | null, req: SrfRequest) => void): void
    forget(req: SrfRequest): void
  }
  /** In milliseconds. */
  readonly patience: number
  routeFor(host: string): string | undefined
  /** The daemon's name for the dialog of a request, where it has one. */
  dialogIdOf(request: SipRequest): string | undefined
  /** A 2xx came, which waits for its ACK. */
  onAccepted(response: SipResponse, ack: SrfAck): void
  /** An UPDATE that drachtio-srf takes for part of this request. */
  onUpdate(req: SrfRequest, res: SrfResponse): void
  onDone(sending: DaemonSending): void
}

/** A request that goes through the daemon, until its final response or the end of patience. */
export class DaemonSending implements ClientTransaction, TimerTarget<'patience'> {
  readonly #needs: SendingNeeds
  readonly #request: SipRequest
  readonly #target: Target
  readonly #onProvisional: OnProvisional | undefined
  readonly #isInvite: boolean
  readonly #dialogId: string | undefined
  #onFinal: OnFinal | undefined
  #req: SrfRequest | undefined
  #timer: Timer | undefined
  #cancelled: { readonly reason: string | undefined } | undefined

  constructor(
    needs: SendingNeeds,
    request: SipRequest,
    target: Target,
    onFinal: OnFinal,
    onProvisional?: OnProvisional,
  ) {
    this.#needs = needs
    this.#request = request
    this.#target = target
    this.#onFinal = onFinal
    this.#onProvisional = onProvisional
    this.#isInvite = request.method === 'INVITE'
    this.#dialogId = needs.dialogIdOf(request)
  }

  start(): void {
    const objection = objectionTo(this.#request)
    if (objection !== undefined) this.#failLater(objection)
    else this.#send(this.#dialogId)
  }

  abandon(): void {
    if (this.#isInvite) this.#cancel(undefined)
    this.#finishLocally(408)
  }

  cancelInvite(reason?: string): void {
    if (this.#onFinal === undefined || this.#cancelled !== undefined) return
    this.#cancelled = { reason }
    this.#wait()
    this.#cancel(reason)
  }

  /** The connection to the daemon is gone. */
  lost(): void {
    this.#finishLocally(503)
  }

  onTimer(): void {
    this.#finishLocally(this.#cancelled === undefined ? 408 : 487)
  }

  #send(dialogId: string | undefined): void {
    try {
      if (!this.#needs.daemon.isConnected) throw new Error('no daemon')
      this.#needs.daemon.request(this.#asSent(dialogId), (err, req) => this.#onSent(err, req))
      this.#wait()
    } catch (err) {
      // No connection, or no URI to send to.
      this.#failLater(err instanceof MalformedSip ? 400 : 503)
    }
  }

  #asSent(dialogId: string | undefined): SrfSending {
    const { method } = this.#request
    const content = { method, ...contentOf(this.#request, dialogId === undefined ? ofTheDaemon : ofDialog) }
    if (dialogId !== undefined) return { ...content, uri: 'sip:placeholder', stackDialogId: dialogId }
    const proxy = nextHop(this.#request, this.#target, this.#needs.routeFor)
    return { ...content, uri: this.#request.uri, ...(proxy !== undefined && { proxy: oneToken(proxy) }) }
  }

  #onSent(err: SrfError | null, req: SrfRequest): void {
    if (err === null) this.#onTaken(req)
    else if (this.#onFinal === undefined) return
    else if (err.code !== 'ENODIALOG') this.#finishLocally(503)
    // A daemon that was started anew knows no dialogs; it can pass on a BYE all the same.
    else if (this.#request.method === 'BYE') this.#send(undefined)
    else this.#finishLocally(481)
  }

  #onTaken(req: SrfRequest): void {
    this.#req = req
    req.on('response', (res: SrfResponse, ack: SrfAck) => this.#onResponse(res, ack))
    req.on('update', (update: SrfRequest, res: SrfResponse) => this.#needs.onUpdate(update, res))
    if (this.#onFinal === undefined || this.#cancelled !== undefined) this.#cancel(this.#cancelled?.reason)
  }

  #onResponse(res: SrfResponse, ack: SrfAck): void {
    const response = readResponse(res)
    if (response === undefined) return
    if (response.status < 200) this.#onEarly(response)
    else {
      if (this.#isInvite && response.status < 300) this.#needs.onAccepted(response, ack)
      this.#finish(response, false)
    }
  }

  #onEarly(response: SipResponse): void {
    if (this.#onFinal === undefined) return
    // Within a dialog drachtio-server forgets the request at this point, and its final response never comes.
    if (this.#isInvite && this.#dialogId === undefined && this.#cancelled === undefined) this.#stopWaiting()
    this.#onProvisional?.(response)
  }

  #cancel(reason: string | undefined): void {
    if (!this.#isInvite || this.#req === undefined || !this.#needs.daemon.isConnected) return
    const headers: SrfHeaders = reason === undefined ? {} : { Reason: reason }
    // What the CANCEL itself comes to is no matter; the INVITE is answered, or not in time.
    this.#req.cancel({ headers }, () => {})
  }

  #wait(): void {
    this.#stopWaiting()
    this.#timer = this.#needs.wheel.set(this.#needs.patience, this, 'patience')
  }

  #stopWaiting(): void {
    this.#needs.wheel.cancel(this.#timer)
  }

  /** Not within `start`, so that the caller holds the transaction before it hears of its end. */
  #failLater(status: number): void {
    queueMicrotask(() => this.#finishLocally(status))
  }

  #finishLocally(status: number): void {
    if (this.#onFinal === undefined) return
    if (this.#req !== undefined && !this.#isInvite) this.#needs.daemon.forget(this.#req)
    this.#finish(responseTo(this.#request, status), true)
  }

  #finish(response: SipResponse, local: boolean): void {
    const onFinal = this.#onFinal
    this.#onFinal = undefined
    this.#stopWaiting()
    if (onFinal === undefined) return
    this.#needs.onDone(this)
    onFinal(response, local)
  }
}

const ofDialog = new Set([...ofTheDaemon, 'from', 'to', 'call-id', 'cseq', 'max-forwards'])

function readResponse({ msg }: SrfResponse): SipResponse | undefined {
  try {
    const message = readCarried(msg.raw)
    return 'status' in message ? message : undefined
  } catch (err) {
    if (err instanceof MalformedSip) return undefined
    throw err
  }
}

/** A part of a frame's first line. */
function oneToken(uri: string): string {
  if (/[|\r\n]/.test(uri)) throw new MalformedSip('a URI that cannot be sent to')
  return uri
}
