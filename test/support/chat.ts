import { chatSdp, sdpAttribute } from './chat-sdp.ts'
import { writeCpim, writeCpimNotification, writeImdn } from './cpim-text.ts'
import { icsiOf, servicesTag, takeMessage } from './large-message.ts'
import { MsrpClient } from './msrp-client.ts'
import type { HeaderFields, Phone } from './phone.ts'
import { type PhoneDialog, PlacedCall, ReceivedCall } from './phone-call.ts'
import type { SipText } from './sip-text.ts'

/** What a device that chats registers, and one that has pager messages only. */
export const chatTag = servicesTag('session', 'msg')
export const pagerTag = servicesTag('msg')

const wrappedTypes = 'a=accept-wrapped-types:text/plain message/imdn+xml application/im-iscomposing+xml\r\n'
const composing =
  '<?xml version="1.0"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state></isComposing>'

/** The header fields of a chat as a CPM client opens it. */
export const chatHeaders = {
  'P-Preferred-Service': icsiOf('session'),
  'Accept-Contact': `*;${servicesTag('session')};require;explicit`,
  'Conversation-ID': 'conversation-1',
  'Contribution-ID': 'contribution-1',
}

export interface ChatOptions {
  readonly headers?: HeaderFields
  /** As plain clients chat, with nothing of CPM. */
  readonly plain?: boolean
  /** The client takes no notifications in the session. */
  readonly deaf?: boolean
}

/** A server, in this process or in another one. */
interface Reached {
  readonly msrpPort: number
}

/** What a client takes, where that is not the usual. */
export interface Takes {
  readonly accepts?: string
  readonly wraps?: string
}

function sdpOf(path: string, { accepts, wraps }: Takes): string {
  const usual = chatSdp({ path })
  if (accepts === undefined) return usual + wrappedTypes
  const own = usual.replace(/^a=accept-types:.*$/m, `a=accept-types:${accepts}`)
  return wraps === undefined ? own : `${own}a=accept-wrapped-types:${wraps}\r\n`
}

/** One end of a chat with its connection. */
export class Chat {
  readonly dialog: PhoneDialog
  /** The INVITE, or the 200, of the other end. */
  readonly peer: SipText
  readonly msrp: MsrpClient
  readonly #phone: Phone
  readonly #to: string

  private constructor(phone: Phone, dialog: PhoneDialog, peer: SipText, msrp: MsrpClient) {
    this.#phone = phone
    this.dialog = dialog
    this.peer = peer
    this.msrp = msrp
    this.#to = sdpAttribute(peer.text, 'path') ?? ''
    msrp.send({ to: this.#to })
  }

  /** A chat that a phone opens. Rejects when it is refused. */
  static async open(server: Reached, phone: Phone, to: string, options: ChatOptions = {}): Promise<Chat> {
    const msrp = await MsrpClient.connect({ port: server.msrpPort })
    const headers = { ...(options.plain ? {} : chatHeaders), ...options.headers }
    const sdp = chatSdp({ path: msrp.path }) + (options.plain || options.deaf ? '' : wrappedTypes)
    try {
      const { response, dialog } = await new PlacedCall(phone, to, { headers, sdp }).answered()
      return await Chat.#begin(new Chat(phone, dialog, response, msrp))
    } catch (error) {
      await msrp.close()
      throw error
    }
  }

  /** The next chat that a phone is asked to. */
  static async join(server: Reached, phone: Phone, takes: Takes = {}): Promise<Chat> {
    const received = await ReceivedCall.next(phone)
    const msrp = await MsrpClient.connect({ port: server.msrpPort })
    const { dialog } = await received.answer(sdpOf(msrp.path, takes))
    return await Chat.#begin(new Chat(phone, dialog, received.invite, msrp))
  }

  static async #begin(chat: Chat): Promise<Chat> {
    await chat.msrp.receive()
    return chat
  }

  /** Sends text as a CPM client does; resolves with what it was answered. */
  say(to: string, text: string, id: string = text, want?: string): Promise<string> {
    return this.send(writeCpim(this.#phone.aor, to, id, text, want), 'message/cpim')
  }

  /** Tells who sent a message that it was delivered, or displayed. */
  notify(to: string, id: string, disposition: 'delivered' | 'displayed' = 'delivered'): Promise<string> {
    const xml = writeImdn(id, disposition, this.#phone.aor)
    return this.send(writeCpimNotification(this.#phone.aor, to, xml), 'message/cpim')
  }

  /** Tells that somebody types. */
  compose(contentType: 'message/cpim' | 'application/im-iscomposing+xml' = 'application/im-iscomposing+xml') {
    const head = `From: <${this.#phone.aor}>\r\nTo: <sip:any@parley.test>\r\n\r\n`
    const wrapped = `${head}Content-Type: application/im-iscomposing+xml\r\n\r\n${composing}`
    return this.send(contentType === 'message/cpim' ? wrapped : composing, contentType)
  }

  async send(body: string, contentType: string): Promise<string> {
    this.msrp.send({ to: this.#to, body, contentType })
    return (await this.msrp.receive()).what
  }

  /** The text of the next message. */
  async hear(): Promise<string> {
    const { body } = await this.receive()
    return body.toString().split('\r\n\r\n').at(-1) ?? ''
  }

  receive() {
    return takeMessage(this.msrp)
  }

  async bye(): Promise<void> {
    await this.dialog.bye()
    await this.msrp.close()
  }

  /** The server ends it. */
  async ended(): Promise<void> {
    await this.dialog.receive('BYE')
    await this.msrp.close()
  }
}
