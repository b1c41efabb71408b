import type { SipRequest } from '../../../protocols/sip/message.ts'
import { type Device, deviceAt, roomFor, type Send, type Source, storeDevices, wayTo } from './device.ts'
import { systemMessage } from './system-message.ts'
import { flagsKey, type ToldFlags } from './told-flags.ts'

export interface SentCopiesNeeds {
  readonly now: () => number
  readonly newId: () => string
  readonly devicesOf: (owner: number) => readonly Device[] | Promise<readonly Device[]>
  /** Whether that user wants it. */
  readonly wants: (owner: number) => boolean | Promise<boolean>
  /** The id of the sender's stored copy. */
  readonly idOf: (sent: Sent) => string
  readonly send: Send
  readonly told: ToldFlags
  readonly host: string
}

export interface Sent {
  readonly message: SipRequest
  readonly sender: {
    readonly aor: string
    readonly subscriber?: { readonly id: number; readonly identities: readonly string[] }
  }
  readonly source: Source
}

type Bindings = readonly Device[] | Promise<readonly Device[]>

interface Reply {
  readonly status: number
}

/** Header fields of the message that its copy has as well. */
const kept = ['Conversation-ID', 'Contribution-ID', 'InReplyTo-Contribution-ID', 'Content-Encoding', 'Subject']
const seen = flagsKey(['\\Seen'])

/**
 * What a user sends from one device appears on their others: a MESSAGE from the user, with what was sent, and Message-Direction:
 * sent (the header field of stored objects, features 1.8). It is for system messages, and goes to devices that say they
 * understand those, since any other would show it as one that came in. One that does not take it hears of the stored copy.
 */
export class SentCopies {
  readonly #needs: SentCopiesNeeds
  readonly #sendings = new Set<ReturnType<Send>>()
  #closing = false

  constructor(needs: SentCopiesNeeds) {
    this.#needs = needs
  }

  /** The reply as it was; copies go once it says that the message was taken. */
  after<R extends Reply>(sent: Sent, replied: Promise<R>): Promise<R> {
    const owner = sent.sender.subscriber?.id
    if (owner === undefined) return replied
    const bindings = this.#needs.devicesOf(owner)
    if (!(bindings instanceof Promise) && storeDevices(bindings).length === 0) return replied
    return this.#after(sent, owner, bindings, replied)
  }

  async #after<R extends Reply>(sent: Sent, owner: number, found: Bindings, replied: Promise<R>): Promise<R> {
    replied.catch(() => {}) // it is awaited further down, which may be later than it fails
    const others = await this.#othersOf(sent, owner, found).catch(() => nobody)
    const reply = await replied
    if (reply.status < 300 && others.length > 0) void this.#copy(sent, owner, others).catch(() => {})
    return reply
  }

  /** Nobody where the device that sent it cannot be told from the others: better no copy than one's own message back. */
  async #othersOf(sent: Sent, owner: number, found: Bindings): Promise<readonly Device[]> {
    const bindings = await found
    const from = deviceAt(bindings, sent.source)
    if (from === undefined) return nobody
    this.#needs.told.set({ owner, device: from, id: this.#needs.idOf(sent) }, seen)
    return storeDevices(bindings).filter(({ device }) => device !== from)
  }

  close(): void {
    this.#closing = true
    for (const sending of this.#sendings) sending.abandon()
  }

  async #copy(sent: Sent, owner: number, devices: readonly Device[]): Promise<void> {
    if (this.#closing || !(await this.#needs.wants(owner))) return
    for (const device of devices) {
      if (sent.message.body.length <= roomFor(device)) void this.#send(sent, owner, device)
    }
  }

  async #send(sent: Sent, owner: number, device: Device): Promise<void> {
    const { told, idOf } = this.#needs
    const sending = this.#needs.send(this.#copyFor(sent, device), wayTo(device))
    this.#sendings.add(sending)
    const { response } = await sending.final
    this.#sendings.delete(sending)
    if (response.status >= 200 && response.status < 300) {
      told.set({ owner, device: device.device, id: idOf(sent) }, seen)
    }
  }

  #copyFor({ message, sender }: Sent, device: Device): SipRequest {
    const { newId, now, host } = this.#needs
    const { headers, body } = message
    const fields = kept.flatMap((name) => headers.all(name.toLowerCase()).map((value) => [name, value] as const))
    return systemMessage({
      device,
      from: `<${sender.aor}>`,
      to: withoutTag(headers.get('to') ?? ''),
      asserted: sender.aor,
      ...{ id: newId(), host, now: now() },
      fields: [...fields, ['Message-Direction', 'sent']],
      contentType: headers.get('content-type') ?? 'text/plain',
      body,
    })
  }
}

const nobody: readonly Device[] = []
const withoutTag = (to: string): string => to.replace(/;tag=[^;,]*/, '')
