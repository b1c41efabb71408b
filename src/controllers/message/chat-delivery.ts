import type { SipRequest } from '../../protocols/sip/message.ts'
import { conversationOf } from './chat-content.ts'
import { ChatSession, type ChatSessionNeeds } from './chat-session.ts'
import type { Device } from './device.ts'
import type { Sending } from './sending.ts'

/** Gives devices what was said in chats while they were away, each conversation in a session of the server's own. */
export class ChatDelivery {
  readonly #needs: Omit<ChatSessionNeeds, 'onOver'>
  readonly #sessions = new Set<ChatSession>()
  /** The last session of each conversation with a device. */
  readonly #open = new Map<string, ChatSession>()
  #closing = false

  constructor(needs: Omit<ChatSessionNeeds, 'onOver'>) {
    this.#needs = needs
  }

  /** In the session that is there, if one is. */
  deliver(kept: SipRequest, device: Device): Sending {
    const key = conversationOf(kept, device)
    const known = this.#open.get(key)
    const session = known?.isOpen === true ? known : this.#newSession(key, kept, device)
    return session.give(kept)
  }

  /** Ends all sessions. */
  close(): void {
    this.#closing = true
    for (const session of this.#sessions) session.close()
  }

  #newSession(key: string, kept: SipRequest, device: Device): ChatSession {
    const onOver = (over: ChatSession) => {
      this.#sessions.delete(over)
      if (this.#open.get(key) === over) this.#open.delete(key)
    }
    const session = new ChatSession({ ...this.#needs, onOver }, kept, device)
    if (!session.isOpen) return session
    this.#sessions.add(session)
    this.#open.set(key, session)
    if (this.#closing) session.close()
    return session
  }
}
