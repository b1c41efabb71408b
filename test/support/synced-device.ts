import { readStoreEvents } from '../../src/protocols/cpm-event-framework/read-store-events.ts'
import { type FlagsOperation, storeEventsType } from '../../src/protocols/cpm-event-framework/store-events.ts'
import { writeStoreEvents } from '../../src/protocols/cpm-event-framework/write-store-events.ts'
import { isNotification, messageIdOf, sendCpm } from './cpim-text.ts'
import { displayed } from './notify.ts'
import type { Phone } from './phone.ts'
import type { SipText } from './sip-text.ts'
import type { TestServer } from './start-server.ts'

const able =
  '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg,urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.systemmsg"'

export type Flags = Readonly<Record<string, readonly string[]>>

/** A phone that keeps what it got and sent, with its flags, and hears of changes by cpm-evfw alone. */
export class SyncedDevice {
  readonly phone: Phone
  readonly #messages = new Map<string, { readonly message?: SipText; readonly flags: Set<string> }>()
  readonly #seen = new Set<string>()
  /** It was told to ask the store, which says more than it is told. */
  asked = 0
  #hasToAsk = false

  private constructor(phone: Phone) {
    this.phone = phone
    phone.answer = (request) => {
      if (request.method === 'MESSAGE') this.#take(request)
      return 200
    }
  }

  static async register(server: TestServer, user: string, number: number): Promise<SyncedDevice> {
    const device = new SyncedDevice(await server.phone(user, { transport: 'tcp' }))
    const instance = `urn:uuid:00000000-0000-1000-8000-00000000000${number}`
    const { status } = await device.phone.register({ params: [able], instance })
    if (status !== 200) throw new Error(`${user} could not register: ${status}`)
    return device
  }

  /** By imdn.Message-ID. */
  get state(): Flags {
    const entries = [...this.#messages].map(([id, { flags }]) => [id, [...flags].sort()] as const)
    return Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1)))
  }

  /** What the store says when it is asked. */
  askIfTold(said: Flags): void {
    if (!this.#hasToAsk) return
    this.#hasToAsk = false
    for (const id of this.#messages.keys()) if (!(id in said)) this.#messages.delete(id)
    for (const [id, flags] of Object.entries(said)) {
      this.#messages.set(id, { ...this.#messages.get(id), flags: new Set(flags) })
      if (flags.includes('\\Seen')) this.#seen.add(id)
    }
  }

  async send(to: string, id: string): Promise<void> {
    this.#messages.set(id, { flags: new Set(['\\Seen']) })
    const { status } = await sendCpm(this.phone, to, `sent as ${id}`, { id })
    if (status > 299) throw new Error(`${id} could not be sent: ${status}`)
  }

  async flag(name: FlagsOperation['name'], flag: string, messageId: string): Promise<void> {
    const xml = writeStoreEvents([{ type: 'flags', operations: [{ name, flag, objects: [{ messageId }] }] }])
    const { status } = await this.phone.message(this.phone.aor, xml, { contentType: storeEventsType })
    if (status !== 200) throw new Error(`a change was answered with ${status}`)
    this.#change(name, flag, messageId)
  }

  /** The sender is told once; what was seen before, on whatever device, only gets its flag. */
  async display(id: string): Promise<void> {
    const { message } = this.#messages.get(id) ?? {}
    if (message === undefined || this.#seen.has(id)) return await this.flag('add', '\\Seen', id)
    await displayed(this.phone, message)
    this.#change('add', '\\Seen', id)
  }

  #take(request: SipText): void {
    if (request.header('Content-Type') !== storeEventsType) {
      if (isNotification(request) || !request.text.includes('imdn.Message-ID')) return
      const sent = request.header('Message-Direction') === 'sent'
      const id = messageIdOf(request)
      if (!this.#messages.has(id)) this.#messages.set(id, { message: request, flags: new Set(sent ? ['\\Seen'] : []) })
      return
    }
    for (const event of readStoreEvents(request.body)) {
      if (event.type !== 'flags') {
        this.asked += 1
        this.#hasToAsk = true
      } else {
        for (const { name, flag, objects } of event.operations) {
          for (const { messageId = '' } of objects) this.#change(name, flag, messageId)
        }
      }
    }
  }

  #change(name: FlagsOperation['name'], flag: string, id: string): void {
    if (flag === '\\Seen' && name === 'add') this.#seen.add(id)
    if (flag === '\\Deleted') this.#messages.delete(id)
    else if (name === 'add') this.#messages.get(id)?.flags.add(flag)
    else this.#messages.get(id)?.flags.delete(flag)
  }
}
