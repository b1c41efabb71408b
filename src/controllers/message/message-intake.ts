import { Failure } from '../../failure.ts'
import type { Dialog, Endpoint, Invitation } from './dialogs.ts'
import type { MessageReply } from './reply.ts'
import type { SessionContent } from './session-message.ts'

export interface MessageIntakeNeeds {
  readonly invitation: Invitation
  readonly endpoint: Endpoint
  /** Resolves once the message is committed. */
  readonly keep: (content: SessionContent) => Promise<void>
  /** It holds nothing any more. */
  readonly onOver: () => void
}

/** What a sender has for its BYE after its message, before the server says it. */
const lingerMs = 5000
const types = { acceptTypes: ['*'], acceptWrappedTypes: ['*'] }

/** A session with one message in it, which the server answers in the place of its recipient. */
export class MessageIntake {
  readonly #needs: MessageIntakeNeeds
  #dialog: Dialog | undefined
  #messageId: string | undefined
  #timer: NodeJS.Timeout | undefined
  #over = false
  #parting: Promise<void> = Promise.resolve()

  constructor(needs: MessageIntakeNeeds) {
    this.#needs = needs
    needs.endpoint.onClosed = () => this.#end()
    needs.invitation.onCancelled(() => this.#end())
  }

  /** Throws Failure when the offer is not to be taken; nothing is held then. */
  async begin(offer: Buffer): Promise<void> {
    const { invitation } = this.#needs
    try {
      const body = await this.#answer(offer)
      if (invitation.dialog.state === 'terminated') this.#end()
      if (this.#over) return
      this.#dialog = invitation.accept({ status: 200, headers: sdpType, body })
      this.#dialog.serve({
        onRequest: () => ({ status: 405, headers: [['Allow', 'ACK, BYE']] }),
        onOffer: (request) => this.#answerLater(request.body),
        onEnded: () => this.#end(),
      })
    } catch (err) {
      this.#end()
      throw err
    }
  }

  /** Resolves when the sender has heard it. */
  close(): Promise<void> {
    this.#end()
    return this.#parting
  }

  #answer(offer: Buffer): Promise<Buffer> {
    return this.#needs.endpoint.answer(offer, {
      ...types,
      onMessage: (content) => this.#take(content),
      onRefused: (status) => {
        if (status === 413) this.#end()
      },
    })
  }

  async #answerLater(offer: Buffer): Promise<MessageReply> {
    if (offer.length === 0) return { status: 488 }
    return { status: 200, headers: sdpType, body: await this.#answer(offer) }
  }

  async #take(content: SessionContent): Promise<void> {
    this.#messageId ??= content.messageId
    if (this.#timer !== undefined || content.messageId !== this.#messageId) {
      setImmediate(() => this.#end())
      throw new Failure('forbidden', 'a session for one message')
    }
    await this.#needs.keep(content)
    if (!this.#over) this.#timer = setTimeout(() => this.#end(), lingerMs)
  }

  #end(): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    if (this.#dialog !== undefined) this.#parting = this.#dialog.bye()
    this.#needs.endpoint.close()
    this.#needs.onOver()
  }
}

const sdpType = [['Content-Type', 'application/sdp']] as const
