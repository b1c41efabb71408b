import { Headers } from '../../protocols/sip/headers.ts'
import { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import { cameInChat, takesChats } from './chat-content.ts'
import { type DeliveryMode, deliveryMode, fitsPagerMode, refusesSessions } from './delivery-mode.ts'
import { type Device, wayTo } from './device.ts'
import { type FinalResponse, isAcceptance } from './device-answer.ts'
import type { Send, Sending } from './sending.ts'
import { asPagerMessage, cameInSession } from './session-message.ts'

export interface LateDeliveryNeeds {
  readonly send: Send
  readonly overSession: { deliver(kept: SipRequest, device: Device): Sending }
  /** Bytes of the largest pager message. */
  readonly maxBytes: number
}

/** What a device says of a kept message. `unfit`: it has no way to get it, today or ever. */
export interface Outcome extends FinalResponse {
  readonly unfit?: true
}

/** One kept message to one device: a pager message as it came, one of a session over a session, or as the device can. */
export class LateDelivery {
  readonly #needs: LateDeliveryNeeds
  readonly #sendings = new Set<Sending>()

  constructor(needs: LateDeliveryNeeds) {
    this.#needs = needs
  }

  deliver(kept: SipRequest, device: Device): Promise<Outcome> {
    return cameInSession(kept) ? this.#bySession(kept, device) : this.#byPager(kept, device)
  }

  /** Gives up what is under way. */
  abandon(): void {
    for (const sending of this.#sendings) sending.abandon()
  }

  async #bySession(kept: SipRequest, device: Device): Promise<Outcome> {
    const fits = fitsPagerMode(kept.body, device, this.#needs.maxBytes)
    const mode = cameInChat(kept) ? chatMode(device, fits) : deliveryMode(device)
    if (mode === 'pager') return fits ? await this.#byPager(asPagerMessage(kept), device) : tooLarge
    const final = await this.#await(this.#needs.overSession.deliver(kept, device))
    if (isAcceptance(final) || final.local || !refusesSessions(final.response.status)) return final
    if (fits) return await this.#byPager(asPagerMessage(kept), device)
    return mode === 'either' ? { ...final, unfit: true } : final
  }

  #byPager(kept: SipRequest, device: Device): Promise<FinalResponse> {
    const headers = kept.headers.clone()
    for (const hop of device.path) headers.add('Route', hop)
    const copy = new SipRequest(kept.method, device.contact, headers, kept.body)
    return this.#await(this.#needs.send(copy, wayTo(device)))
  }

  async #await(sending: Sending): Promise<FinalResponse> {
    this.#sendings.add(sending)
    try {
      return await sending.final
    } finally {
      this.#sendings.delete(sending)
    }
  }
}

/** What was said in a chat: in a chat where the device has such, else as a pager message, else as a large one. */
function chatMode(device: Device, fits: boolean): DeliveryMode {
  if (takesChats(device)) return 'session'
  return fits ? 'pager' : deliveryMode(device)
}

const tooLarge: Outcome = {
  response: new SipResponse(513, 'Message Too Large', new Headers()),
  local: false,
  unfit: true,
}
