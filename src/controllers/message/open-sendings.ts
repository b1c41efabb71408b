import type { SipRequest } from '../../protocols/sip/message.ts'
import type { FinalResponse } from './device-answer.ts'
import type { Send, Sending, Target } from './sending.ts'

/** Requests of the server's own that are under way, so that none of them outlives it. */
export class OpenSendings {
  readonly #send: Send
  readonly #open = new Set<Sending>()

  constructor(send: Send) {
    this.#send = send
  }

  async send(request: SipRequest, target: Target): Promise<FinalResponse> {
    const sending = this.#send(request, target)
    this.#open.add(sending)
    try {
      return await sending.final
    } finally {
      this.#open.delete(sending)
    }
  }

  abandon(): void {
    for (const sending of this.#open) sending.abandon()
  }
}
