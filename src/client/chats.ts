import { randomUUID } from 'node:crypto'
import { Failure } from '../failure.ts'
import type { SipRequest, SipResponse } from '../protocols/sip/message.ts'
import { reasonOf } from '../protocols/sip/respond.ts'
import type { InboundInvite } from '../sip/sip-stack.ts'
import { Chat, type ChatEvents } from './chat.ts'
import type { ClientMedia, MessageEnd } from './media.ts'
import type { Invited, Requests } from './requests.ts'
import { senderOf } from './sender.ts'
import { featureTag, icsi } from './services.ts'

interface Needs {
  readonly own: string
  /** What leads back to this client. */
  readonly contact: () => string
  readonly requests: Pick<Requests, 'make' | 'invite'>
  readonly media: ClientMedia
}

export interface ChatOptions {
  readonly events: ChatEvents
  /** Gives the call up. */
  readonly cancelled: AbortSignal
  /** Told of each provisional response. */
  readonly onRinging?: (status: number) => void
}

/** What came of a call: a chat, or why not. */
export interface Called {
  readonly status: number
  readonly reason: string
  readonly chat?: Chat
}

/** The function module for chat sessions: opens them, and answers those that others open. */
export class Chats {
  readonly #needs: Needs
  readonly #chats = new Set<Chat>()

  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** Calls somebody; resolves when a device has accepted, or nobody will. */
  async open(peer: string, options: ChatOptions): Promise<Called> {
    const end = await this.#needs.media.openMessageEnd()
    const chat = this.#newChat(end, peer, options.events)
    try {
      const invited = await this.#needs.requests.invite(this.#invite(peer, end.offer(chat.taking)), {
        cancelled: options.cancelled,
        onProvisional: ({ status }) => options.onRinging?.(status),
      })
      return await this.#called(chat, end, invited)
    } catch (err) {
      await chat.end()
      throw err
    }
  }

  /** Accepts an invitation. Throws Failure when its offer has no message session. */
  async answer(invitation: InboundInvite, events: ChatEvents): Promise<Chat> {
    const end = await this.#needs.media.openMessageEnd()
    const chat = this.#newChat(end, senderOf(invitation.message.headers), events)
    try {
      const { body } = invitation.message
      const sdp = body.length === 0 ? end.offer(chat.taking) : await end.answer(body, chat.taking)
      if (!invitation.isOpen) throw new Failure('absent', 'the caller has given up')
      const headers = [['Contact', this.#contact], typed] as const
      chat.begin(invitation.accept({ status: 200, headers, body: sdp }))
      return chat
    } catch (err) {
      await chat.end()
      throw err
    }
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    await Promise.all([...this.#chats].map((chat) => chat.end()))
  }

  #newChat(end: MessageEnd, peer: string, events: ChatEvents): Chat {
    const onOver = (chat: Chat) => this.#chats.delete(chat)
    const chat = new Chat({ end, own: this.#needs.own, peer, events, onOver })
    this.#chats.add(chat)
    return chat
  }

  async #called(chat: Chat, end: MessageEnd, { response, dialog }: Invited): Promise<Called> {
    const outcome = { status: response.status, reason: response.reason }
    if (dialog === undefined) {
      await chat.end()
      return outcome
    }
    chat.begin(dialog)
    try {
      await end.answered(descriptionOf(response))
      return { ...outcome, chat }
    } catch (err) {
      if (!(err instanceof Failure)) throw err
      await chat.end()
      return { status: 488, reason: reasonOf(488) }
    }
  }

  #invite(peer: string, sdp: Buffer): SipRequest {
    const request = this.#needs.requests.make('INVITE', peer, peer, randomUUID(), sdp)
    const fields = [
      ['Contact', this.#contact],
      ['P-Preferred-Service', icsi.session],
      ['Accept-Contact', `*;${featureTag(['session'])}`],
      ['Conversation-ID', randomUUID()],
      ['Contribution-ID', randomUUID()],
      typed,
    ] as const
    for (const [name, value] of fields) request.headers.add(name, value)
    return request
  }

  get #contact(): string {
    return `<${this.#needs.contact()}>;${featureTag(['session'])}`
  }
}

const typed = ['Content-Type', 'application/sdp'] as const

function descriptionOf({ body }: SipResponse): Buffer {
  if (body.length === 0) throw new Failure('not-acceptable', 'no answer')
  return body
}
