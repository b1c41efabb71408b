import { icsi, servicesOfRequest } from '../../protocols/cpm/services.ts'
import { hasAttribute } from '../../protocols/sdp/attributes.ts'
import { MalformedSdp } from '../../protocols/sdp/malformed-sdp.ts'
import { isMsrp } from '../../protocols/sdp/msrp-media.ts'
import { readSdp } from '../../protocols/sdp/read-sdp.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { AbsentChat, type AbsentChatNeeds, type MessageContent } from './absent-chat.ts'
import { descriptionIn } from './description.ts'
import type { Invitation, Reply } from './dialogs.ts'
import type { Device, Sender, Subscriber } from './needs.ts'
import type { HeldSession, Sessions } from './sessions.ts'

export interface AbsentChatsNeeds extends Omit<AbsentChatNeeds, 'onOver'> {
  readonly devicesOf: (owner: number) => readonly Device[] | Promise<readonly Device[]>
  /** The sessions of the session controller: these are some of them. */
  readonly sessions: Sessions<HeldSession>
}

/** Whom a notification is from and for, and what it says. */
export interface ChatNotification extends MessageContent {
  readonly from: string
  readonly to: string
}

/** Chats with users who are not there: the server answers, and keeps what is said for them (store and forward). */
export class AbsentChats {
  readonly #needs: AbsentChatsNeeds
  /** By caller and callee; of one caller there may be several devices. */
  readonly #open = new Map<string, Set<AbsentChat>>()

  constructor(needs: AbsentChatsNeeds) {
    this.#needs = needs
  }

  /** Takes the invitation if it is one to a chat; resolves with the reply that refuses it, if that is what comes of it. */
  take(
    invitation: Invitation,
    sender: Sender,
    recipient: string,
    callee: Subscriber,
  ): Promise<Reply | undefined> | undefined {
    return isChat(invitation.message) ? this.#answer(invitation, sender, recipient, callee) : undefined
  }

  /** Gives a notification to a caller who is still in the chat it is about. False: there is none that takes it. */
  notify({ from, to, ...content }: ChatNotification): boolean | Promise<boolean> {
    const open = this.#open.get(keyOf(to, from))
    return open === undefined ? false : this.#notify([...open], content)
  }

  async #notify(open: readonly AbsentChat[], content: MessageContent): Promise<boolean> {
    for (const chat of open) if (chat.takesNotifications && (await chat.send(content))) return true
    return false
  }

  async #answer(
    invitation: Invitation,
    sender: Sender,
    recipient: string,
    callee: Subscriber,
  ): Promise<Reply | undefined> {
    const { sessions, devicesOf } = this.#needs
    const key = keyOf(sender.subscriber?.identities[0] ?? sender.aor, callee.identities[0] ?? recipient)
    const tried = new Set((await devicesOf(callee.id)).map(({ device }) => device))
    const onOver = () => {
      sessions.remove(chat)
      this.#forget(key, chat)
    }
    const chat = new AbsentChat({ ...this.#needs, onOver }, { invitation, sender, recipient, tried })
    sessions.add(chat, sender.subscriber?.id)
    this.#remember(key, chat)
    return await chat.begin()
  }

  #remember(key: string, chat: AbsentChat): void {
    const open = this.#open.get(key)
    if (open === undefined) this.#open.set(key, new Set([chat]))
    else open.add(chat)
  }

  #forget(key: string, chat: AbsentChat): void {
    const open = this.#open.get(key)
    open?.delete(chat)
    if (open?.size === 0) this.#open.delete(key)
  }
}

const keyOf = (caller: string, callee: string): string => `${caller} ${callee}`

/** By its service, or as plain clients chat: MSRP that is no file (RFC 5547) and no service of another name. */
function isChat(message: SipRequest): boolean {
  const services = servicesOfRequest(message.headers)
  if (services.size > 0 && !services.has(icsi.session)) return false
  try {
    const description = descriptionIn(message)
    if (description === undefined) return services.has(icsi.session)
    return readSdp(description.sdp).media.some((media) => isMsrp(media) && !hasAttribute(media, 'file-selector'))
  } catch (err) {
    if (err instanceof MalformedSdp) return false
    throw err
  }
}
