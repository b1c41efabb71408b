import { Failure } from '../../failure.ts'
import { mediaType } from '../../protocols/mime/content-type.ts'
import { Headers } from '../../protocols/sip/headers.ts'
import { type SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import { reasonOf } from '../../protocols/sip/respond.ts'
import { type Device, wayTo } from './device.ts'
import type { FinalResponse } from './device-answer.ts'
import type { Call, CallEvents, Dialog, Endpoint } from './dialogs.ts'
import type { Sending, Target } from './sending.ts'
import { deferredInvite } from './session-message.ts'

export interface SessionDeliveryNeeds {
  readonly invite: (request: SipRequest, target: Target, events: CallEvents) => Call
  readonly openEndpoint: (transport: string) => Endpoint
  readonly newId: () => string
  readonly log: { warn(fields: object, message: string): void }
}

/** A client takes such a session without asking anybody. */
const answerWithin = 30_000
/** The bytes of the largest message, over the slowest way that is still worth it. */
const transferWithin = 600_000
/** BYE and the last 200 of MSRP go different ways: the BYE may be first. */
const graceAfterBye = 2000

/** Brings one kept message to one device, in a session of the server's own: INVITE, the message over MSRP, BYE. */
export class SessionDelivery {
  readonly #needs: SessionDeliveryNeeds

  constructor(needs: SessionDeliveryNeeds) {
    this.#needs = needs
  }

  /** Resolves with 200 once the device has acknowledged all of the message, else with what the device, or its absence, says. */
  deliver(kept: SipRequest, device: Device): Sending {
    return new Transfer(this.#needs, kept, device)
  }
}

class Transfer implements Sending {
  readonly final: Promise<FinalResponse>
  readonly #kept: SipRequest
  readonly #log: SessionDeliveryNeeds['log']
  readonly #endpoint: Endpoint | undefined
  #call: Call | undefined
  #dialog: Dialog | undefined
  #timer: NodeJS.Timeout | undefined
  #settle: (final: FinalResponse) => void = () => {}
  #over = false

  constructor({ openEndpoint, invite, newId, log }: SessionDeliveryNeeds, kept: SipRequest, device: Device) {
    this.#kept = kept
    this.#log = log
    this.final = new Promise((resolve) => {
      this.#settle = resolve
    })
    try {
      const endpoint = openEndpoint(device.transport)
      this.#endpoint = endpoint
      endpoint.onClosed = () => this.#end(480, true)
      const offer = endpoint.offer(typesOf(kept))
      this.#call = invite(deferredInvite(kept, device, offer, newId), wayTo(device), {
        onAnswered: (dialog, response) => this.#answered(dialog, response),
        onFailed: (response, local) => this.#finish({ response, local }),
      })
      this.#waitFor(answerWithin)
    } catch (err) {
      // No session is to be had now: this says nothing of the device.
      if (!(err instanceof Failure)) throw err
      this.#end(480, true)
    }
  }

  abandon(): void {
    this.#end(408, true)
  }

  #answered(dialog: Dialog, response: SipResponse): undefined {
    if (this.#over) {
      void dialog.bye()
      return
    }
    this.#dialog = dialog
    dialog.serve({
      onRequest: () => ({ status: 405, headers: [['Allow', 'ACK, BYE']] }),
      onOffer: () => ({ status: 488 }),
      onEnded: () => this.#waitFor(graceAfterBye),
    })
    this.#waitFor(transferWithin)
    void this.#transfer(response.body)
  }

  async #transfer(answer: Buffer): Promise<void> {
    const endpoint = this.#endpoint as Endpoint
    try {
      await endpoint.answered(answer)
      await endpoint.send(contentOf(this.#kept))
      this.#end(200, false)
    } catch (err) {
      if (err instanceof Failure) this.#end(statuses[err.condition] ?? 480, false)
      else this.#fault(err)
    }
  }

  #fault(err: unknown): void {
    this.#log.warn({ part: 'message', err }, 'delivery over a session failed')
    this.#end(480, true)
  }

  #waitFor(time: number): void {
    clearTimeout(this.#timer)
    if (!this.#over) this.#timer = setTimeout(() => this.#end(408, true), time)
  }

  #end(status: number, local: boolean): void {
    this.#finish({ response: new SipResponse(status, reasonOf(status), new Headers()), local })
  }

  #finish(final: FinalResponse): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    if (this.#dialog !== undefined) void this.#dialog.bye()
    else this.#call?.cancel()
    this.#endpoint?.close()
    this.#settle(final)
  }
}

/** What a device says over MSRP, or in its session description, in the words of SIP. */
const statuses: Readonly<Record<string, number>> = {
  'message-too-large': 413,
  'unsupported-content': 415,
  'not-acceptable': 488,
  malformed: 488,
  forbidden: 403,
}

const contentTypeOf = ({ headers }: SipRequest): string => headers.get('content-type') ?? 'application/octet-stream'

const contentOf = (kept: SipRequest) => ({
  contentType: contentTypeOf(kept),
  body: kept.body,
})

function typesOf(kept: SipRequest) {
  const type = mediaType(contentTypeOf(kept))
  return type === 'message/cpim'
    ? { acceptTypes: ['message/cpim'], acceptWrappedTypes: ['*'] }
    : { acceptTypes: ['message/cpim', type], acceptWrappedTypes: ['*'] }
}
