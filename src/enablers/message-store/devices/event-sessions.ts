import { Failure } from '../../../failure.ts'
import { storeEventsType } from '../../../protocols/cpm-event-framework/store-events.ts'
import type { SipRequest } from '../../../protocols/sip/message.ts'
import { type Device, deviceAt, type Source } from './device.ts'
import type { DeviceEvents } from './device-events.ts'

type Field = readonly [name: string, value: string]

interface Reply {
  readonly status: number
  readonly headers?: readonly Field[]
  readonly body?: Buffer
}

interface Dialog {
  readonly state: 'early' | 'confirmed' | 'terminated'
  serve(handlers: {
    onRequest(request: SipRequest): Reply
    onOffer(request: SipRequest): Promise<Reply> | Reply
    onEnded(): void
  }): void
  bye(): Promise<void>
}

export interface Invitation {
  readonly message: SipRequest
  readonly source: Source
  readonly dialog: Dialog
  accept(reply: Reply): Dialog
  onCancelled(listener: () => void): void
}

/** The server as one party of a message session. */
interface Endpoint {
  onClosed: ((why: 'lost' | 'idle' | 'not-connected') => void) | undefined
  answer(
    offer: Buffer,
    take: {
      readonly acceptTypes: readonly string[]
      readonly acceptWrappedTypes: readonly string[]
      onMessage(message: { readonly contentType: string; readonly body: Buffer }): Promise<void>
    },
  ): Promise<Buffer>
  close(): void
}

interface Sender {
  readonly subscriber?: { readonly id: number; readonly identities: readonly string[] }
}

export interface EventSessionsNeeds {
  readonly events: Pick<DeviceEvents, 'owns' | 'take'>
  readonly devicesOf: (owner: number) => readonly Device[] | Promise<readonly Device[]>
  readonly openEndpoint: () => Endpoint
  /** Sessions at once. */
  readonly most: number
}

/** Sessions in which devices say what they have done to the store (features 1.8): the server is their other party. */
export class EventSessions {
  readonly #needs: EventSessionsNeeds
  readonly #open = new Set<EventSession>()
  #closing = false

  constructor(needs: EventSessionsNeeds) {
    this.#needs = needs
  }

  get inUse(): number {
    return this.#open.size
  }

  /** Answers through the invitation; a reply refuses it. */
  async handleInvitation(invitation: Invitation, sender: Sender, recipient: string): Promise<Reply | undefined> {
    const owner = this.#needs.events.owns(sender, recipient)
    if (this.#closing || this.#open.size >= this.#needs.most) {
      throw new Failure('overloaded', 'event sessions', { retryAfter: 10 })
    }
    if (invitation.message.body.length === 0) return { status: 488 }
    const device = deviceAt(await this.#needs.devicesOf(owner), invitation.source)
    const session = new EventSession(invitation, this.#needs.openEndpoint(), {
      take: ({ contentType, body }) => this.#needs.events.take(owner, device, contentType, body),
      onOver: () => this.#open.delete(session),
    })
    this.#open.add(session)
    await session.begin()
    return undefined
  }

  async close(): Promise<void> {
    this.#closing = true
    await Promise.all([...this.#open].map((session) => session.end()))
  }
}

interface Taking {
  readonly take: (message: { readonly contentType: string; readonly body: Buffer }) => Promise<void>
  readonly onOver: () => void
}

const sdpType = [['Content-Type', 'application/sdp']] as const

class EventSession {
  readonly #invitation: Invitation
  readonly #endpoint: Endpoint
  readonly #taking: Taking
  #dialog: Dialog | undefined
  #over = false

  constructor(invitation: Invitation, endpoint: Endpoint, taking: Taking) {
    this.#invitation = invitation
    this.#endpoint = endpoint
    this.#taking = taking
    endpoint.onClosed = () => void this.end()
    invitation.onCancelled(() => void this.end())
  }

  /** Throws Failure where the offer is not to be taken; nothing is held then. */
  async begin(): Promise<void> {
    try {
      const body = await this.#answer(this.#invitation.message.body)
      if (this.#invitation.dialog.state === 'terminated') return await this.end()
      if (this.#over) return
      this.#dialog = this.#invitation.accept({ status: 200, headers: sdpType, body })
      this.#dialog.serve({
        onRequest: () => ({ status: 405, headers: [['Allow', 'ACK, BYE']] }),
        onOffer: (request) => this.#answerLater(request.body),
        onEnded: () => void this.end(),
      })
    } catch (err) {
      await this.end()
      throw err
    }
  }

  async end(): Promise<void> {
    if (this.#over) return
    this.#over = true
    this.#endpoint.close()
    this.#taking.onOver()
    await this.#dialog?.bye()
  }

  #answer(offer: Buffer): Promise<Buffer> {
    return this.#endpoint.answer(offer, {
      acceptTypes: ['message/cpim', storeEventsType],
      acceptWrappedTypes: [storeEventsType],
      onMessage: (message) => this.#taking.take(message),
    })
  }

  async #answerLater(offer: Buffer): Promise<Reply> {
    if (offer.length === 0) return { status: 488 }
    return { status: 200, headers: sdpType, body: await this.#answer(offer) }
  }
}
