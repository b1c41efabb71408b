import { icsi, servicesOfDevice, serviceTag } from '../../protocols/cpm/services.ts'
import { storeEventsType } from '../../protocols/cpm-event-framework/store-events.ts'
import { writeStoreEvents } from '../../protocols/cpm-event-framework/write-store-events.ts'
import { addressOfRecord, domainOf } from '../../protocols/sip/address-of-record.ts'
import { writeSipDate } from '../../protocols/sip/date.ts'
import { Headers } from '../../protocols/sip/headers.ts'
import { SipRequest } from '../../protocols/sip/message.ts'
import { absenceText } from './absence-texts.ts'
import { type Device, wayTo } from './device.ts'
import { isAcceptance } from './device-answer.ts'
import { readImdnFields } from './message-id.ts'
import type { Needs } from './needs.ts'
import { OpenSendings } from './open-sendings.ts'
import type { Untold, WaitingMessage, WaitingMessages } from './waiting-messages.ts'

type NoticeNeeds = Pick<Needs, 'now' | 'newId' | 'devicesOf' | 'settingsOf' | 'send' | 'ownUri' | 'log'> & {
  readonly waiting: WaitingMessages
}

/** What a MESSAGE may take (timer F, 32 s), and its answer to be written. */
const lease = 45_000
/** Messages that one notice names. */
const mostNamed = 100

/**
 * Tells users who are back of what they are to fetch: devices that know of the store by an event of it, others by a short
 * text. It is said once, when a device has accepted it, until the user has been away again.
 */
export class AbsenceNotices {
  readonly #needs: NoticeNeeds
  readonly #telling = new Map<number, Promise<void>>()
  readonly #sendings: OpenSendings
  #closing = false

  constructor(needs: NoticeNeeds) {
    this.#needs = needs
    this.#sendings = new OpenSendings(needs.send)
  }

  /** `returned`: no device of theirs was there before. Never rejects. */
  async tell(owner: number, returned = false): Promise<void> {
    if (this.#closing) return
    const before = this.#telling.get(owner)
    const turn = (before ?? Promise.resolve()).then(() => this.#tell(owner, returned))
    const settled = turn.catch((err) => this.#needs.log.warn({ part: 'message', owner, err }, 'a user was not told'))
    this.#telling.set(owner, settled)
    await settled
    if (this.#telling.get(owner) === settled) this.#telling.delete(owner)
  }

  /** Whoever has not answered is told another time. */
  async close(): Promise<void> {
    this.#closing = true
    this.#sendings.abandon()
    await Promise.all(this.#telling.values())
  }

  async #tell(owner: number, returned: boolean): Promise<void> {
    const { waiting, now, devicesOf } = this.#needs
    if (returned) await waiting.forgetTelling(owner)
    const devices = await devicesOf(owner)
    if (devices.length === 0 || this.#closing) return
    const untold = await waiting.holdUntold(owner, now(), now() + lease, mostNamed)
    if (untold === undefined) return
    const told = await this.#tellDevices(owner, devices, untold)
    await waiting.endTelling(owner, untold.last, told)
  }

  /** Whether one of them knows now. */
  async #tellDevices(owner: number, devices: readonly Device[], untold: Untold): Promise<boolean> {
    const settings = await this.#needs.settingsOf(owner)
    const text = Buffer.from(absenceText(settings?.language, untold.count))
    const event = writeStoreEvents([{ type: 'objects', objects: untold.oldest.map(referenceTo) }])
    const to = addressOfRecord(untold.oldest[0]?.head.uri ?? '') ?? this.#needs.ownUri()
    const finals = onePerDevice(devices).map((device) => {
      const knowsStore = servicesOfDevice(device.features)?.has(icsi.systemMessage) === true
      const notice = this.#notice(device, to, knowsStore, knowsStore ? event : text)
      return this.#sendings.send(notice, wayTo(device))
    })
    return (await Promise.all(finals)).some(isAcceptance)
  }

  #notice(device: Device, to: string, knowsStore: boolean, body: Buffer): SipRequest {
    const { now, newId, ownUri } = this.#needs
    const own = ownUri()
    const id = newId()
    const headers = new Headers([
      ['From', `<${own}>;tag=${id.slice(0, 16)}`],
      ['To', `<${to}>`],
      ['Call-ID', `${id}@${domainOf(own) ?? 'localhost'}`],
      ['CSeq', '1 MESSAGE'],
      ['Max-Forwards', '70'],
      ['Date', writeSipDate(now())],
      ['P-Asserted-Identity', `<${own}>`],
      ...device.path.map((hop) => ['Route', hop] as const),
    ])
    if (knowsStore) headers.add('P-Asserted-Service', icsi.systemMessage)
    if (knowsStore) headers.add('Accept-Contact', `*;${serviceTag(icsi.systemMessage)}`)
    headers.add('Content-Type', knowsStore ? storeEventsType : 'text/plain;charset=UTF-8')
    return new SipRequest('MESSAGE', device.contact, headers, body)
  }
}

/** A device may have several bindings: the preferred one comes first. */
const onePerDevice = (devices: readonly Device[]): readonly Device[] =>
  devices.filter(({ device }, at) => devices.findIndex((other) => other.device === device) === at)

/** By the names that its sender gave it. */
function referenceTo({ head, peer }: WaitingMessage) {
  const { headers } = head
  const conversationId = headers.get('conversation-id')
  const contributionId = headers.get('contribution-id')
  return {
    ...(conversationId !== undefined && { conversationId }),
    ...(contributionId !== undefined && { contributionId }),
    otherParty: peer,
    messageId: readImdnFields(head)?.messageId ?? headers.get('call-id') ?? '',
  }
}
