import { Failure } from '../../failure.ts'
import { Headers } from '../../protocols/sip/headers.ts'
import { type SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import { reasonOf } from '../../protocols/sip/respond.ts'
import { chatInvite, chatTypes, contentFor } from './chat-content.ts'
import { type Device, wayTo } from './device.ts'
import type { FinalResponse } from './device-answer.ts'
import type { Call, CallEvents, Dialog, Endpoint } from './dialogs.ts'
import { readImdnFields } from './message-id.ts'
import type { Sending, Target } from './sending.ts'
import type { SessionContent } from './session-message.ts'

export interface ChatSessionNeeds {
  readonly invite: (request: SipRequest, target: Target, events: CallEvents) => Call
  readonly openEndpoint: (transport: string) => Endpoint
  readonly newId: () => string
  readonly domain: string
  /** Milliseconds that a device may take to answer. */
  readonly answerWithin: number
  /** So long the session stays for the notifications that senders have asked for. */
  readonly lingerFor: number
  /** The device says something in the session: a notification, most likely. `kept`: a message of the session. */
  readonly said: (kept: SipRequest, content: SessionContent) => Promise<void>
  readonly onOver: (session: ChatSession) => void
  readonly log: { warn(fields: object, message: string): void }
}

/** So long it stays anyhow: the next message may be on its way. */
const atLeast = 500
/** BYE and the last 200 of MSRP go different ways: the BYE may be first. */
const graceAfterBye = 2000

/** A session of the server's own with one device, which gets there what one sender has said in one conversation. */
export class ChatSession {
  readonly #needs: ChatSessionNeeds
  readonly #kept: SipRequest
  /** Undefined once the session has begun; else why it has not. */
  readonly #begun: Promise<FinalResponse | undefined>
  #begin: (failed: FinalResponse | undefined) => void = () => {}
  #endpoint: Endpoint | undefined
  #call: Call | undefined
  #dialog: Dialog | undefined
  #timer: NodeJS.Timeout | undefined
  #underWay = 0
  /** Messages whose senders have asked to hear of their delivery, and have not heard in this session. */
  #unnotified = 0
  /** `ending`: the device has said BYE, and may still acknowledge what it has. */
  #state: 'inviting' | 'open' | 'ending' | 'over' = 'inviting'

  /** `kept`: the first message that is to be given. */
  constructor(needs: ChatSessionNeeds, kept: SipRequest, device: Device) {
    this.#needs = needs
    this.#kept = kept
    this.#begun = new Promise((resolve) => {
      this.#begin = resolve
    })
    try {
      this.#invite(device)
    } catch (err) {
      // No session is to be had now; that says nothing of the device.
      if (!(err instanceof Failure)) throw err
      this.#end(final(480, true))
    }
  }

  /** Whether more can be given in it. */
  get isOpen(): boolean {
    return this.#state === 'inviting' || this.#state === 'open'
  }

  /** Resolves with 200 when the device has acknowledged the message; else with what it, or its absence, says. */
  give(kept: SipRequest): Sending {
    return { final: this.#give(kept), abandon: () => this.#end(final(408, true)) }
  }

  close(): void {
    this.#end(final(408, true))
  }

  #invite(device: Device): void {
    const { openEndpoint, invite, newId, domain, answerWithin } = this.#needs
    const endpoint = openEndpoint(device.transport)
    this.#endpoint = endpoint
    endpoint.onClosed = () => this.#end(final(480, true))
    const take = { ...chatTypes(this.#kept), onMessage: (content: SessionContent) => this.#said(content) }
    const offer = endpoint.offer(take)
    this.#call = invite(chatInvite(this.#kept, device, offer, newId, domain), wayTo(device), {
      onAnswered: (dialog, response) => this.#answered(dialog, response),
      onFailed: (response, local) => this.#end({ response, local }),
    })
    this.#wait(answerWithin)
  }

  #answered(dialog: Dialog, response: SipResponse): undefined {
    if (this.#state === 'over') {
      void dialog.bye()
      return
    }
    this.#dialog = dialog
    dialog.serve({
      onRequest: ({ method }) => ({
        status: method === 'OPTIONS' || method === 'INFO' ? 200 : 405,
        headers: [allowed],
      }),
      onOffer: () => ({ status: 488 }),
      onEnded: () => this.#left(),
    })
    void this.#open(response.body)
  }

  async #open(answer: Buffer): Promise<void> {
    try {
      await this.#endpoint?.answered(answer)
      if (this.#state !== 'inviting') return
      this.#state = 'open'
      this.#begin(undefined)
      this.#linger()
    } catch (err) {
      if (!(err instanceof Failure)) this.#warn(err)
      this.#end(final(488, false))
    }
  }

  async #give(kept: SipRequest): Promise<FinalResponse> {
    this.#underWay += 1
    try {
      return (await this.#begun) ?? (await this.#send(kept))
    } finally {
      this.#underWay -= 1
      if (this.#state === 'ending' && this.#underWay === 0) this.#end(final(480, true))
      else this.#linger()
    }
  }

  async #send(kept: SipRequest): Promise<FinalResponse> {
    const endpoint = this.#endpoint as Endpoint
    try {
      await endpoint.send(contentFor(kept, endpoint.peer ?? chatTypes(kept)))
      if (asksForDelivery(kept)) this.#unnotified += 1
      return final(200, false)
    } catch (err) {
      if (err instanceof Failure) return ofFailure(err)
      this.#warn(err)
      return final(480, true)
    }
  }

  async #said(content: SessionContent): Promise<void> {
    this.#underWay += 1
    try {
      await this.#needs.said(this.#kept, content)
      this.#unnotified = Math.max(0, this.#unnotified - 1)
    } finally {
      this.#underWay -= 1
      this.#linger()
    }
  }

  /** The device has ended the session. */
  #left(): void {
    if (this.#state === 'over') return
    if (this.#underWay === 0) this.#end(final(480, true))
    else {
      this.#state = 'ending'
      this.#wait(graceAfterBye)
    }
  }

  #linger(): void {
    if (this.#state !== 'open') return
    if (this.#underWay > 0) clearTimeout(this.#timer)
    else this.#wait(this.#unnotified > 0 ? this.#needs.lingerFor : atLeast)
  }

  #wait(time: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#end(final(408, true)), time)
    this.#timer.unref()
  }

  #end(why: FinalResponse): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    clearTimeout(this.#timer)
    this.#begin(why)
    if (this.#dialog !== undefined) void this.#dialog.bye()
    else this.#call?.cancel()
    this.#endpoint?.close()
    this.#needs.onOver(this)
  }

  #warn(err: unknown): void {
    this.#needs.log.warn({ part: 'message', err }, 'delivery of a chat failed')
  }
}

const asksForDelivery = (kept: SipRequest): boolean =>
  /(?:^|[,\s])positive-delivery(?:$|[,;\s])/i.test(readImdnFields(kept)?.asked ?? '')

const allowed: readonly [string, string] = ['Allow', 'ACK, BYE, OPTIONS, INFO']

/** What a device says over MSRP in the words of SIP: of the message alone, unless the session is gone. */
const statuses: Readonly<Record<string, number>> = {
  'message-too-large': 413,
  'unsupported-content': 415,
  'not-acceptable': 488,
  forbidden: 403,
}

const ofFailure = ({ condition }: Failure): FinalResponse => {
  const status = statuses[condition]
  return status === undefined ? final(480, true) : final(status, false)
}

const final = (status: number, local: boolean): FinalResponse => ({
  response: new SipResponse(status, reasonOf(status), new Headers()),
  local,
})
