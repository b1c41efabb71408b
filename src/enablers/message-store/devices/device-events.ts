import { Failure } from '../../../failure.ts'
import { readCpim } from '../../../protocols/cpim/cpim.ts'
import { MalformedCpim } from '../../../protocols/cpim/malformed-cpim.ts'
import { MalformedEvent } from '../../../protocols/cpm-event-framework/malformed-event.ts'
import { readStoreEvents } from '../../../protocols/cpm-event-framework/read-store-events.ts'
import {
  type FlagsOperation,
  type ObjectReference,
  type StoreEvent,
  storeEventsType,
} from '../../../protocols/cpm-event-framework/store-events.ts'
import { mediaType } from '../../../protocols/mime/content-type.ts'
import type { SipRequest } from '../../../protocols/sip/message.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import { type Device, deviceAt, type Source } from './device.ts'
import type { DeviceCursors, Named } from './device-cursors.ts'
import { gone, type ToldFlags } from './told-flags.ts'

export interface DeviceEventsNeeds {
  readonly mailboxes: Pick<Mailboxes, 'change' | 'remove' | 'pathsOf'>
  readonly cursors: Pick<DeviceCursors, 'named'>
  readonly told: ToldFlags
  readonly devicesOf: (owner: number) => readonly Device[] | Promise<readonly Device[]>
  readonly canonical: (uri: string) => string | undefined
  readonly storageUri: string
}

interface Sender {
  readonly subscriber?: { readonly id: number; readonly identities: readonly string[] }
}

export interface EventRequest {
  readonly message: SipRequest
  readonly sender: Sender
  readonly recipient: string
  readonly source: Source
}

/** Whether a MESSAGE tells of a change in a store: as it is, or in message/cpim. */
export function isStoreEvent({ headers, body }: SipRequest): boolean {
  const type = mediaType(headers.get('content-type') ?? '')
  if (type === storeEventsType) return true
  return type === 'message/cpim' && body.includes('cpm-eventfw') && contentOf(type, body)?.type === storeEventsType
}

/**
 * What a device says it has done to the store (features 1.8): flags, and deletions, which are a flag as well. It concerns the
 * mailbox of whoever sends it and no other. What is not there is passed over.
 */
export class DeviceEvents {
  readonly #needs: DeviceEventsNeeds

  constructor(needs: DeviceEventsNeeds) {
    this.#needs = needs
  }

  /** Throws Failure: `forbidden`, `malformed`. */
  async handle({ message, sender, recipient, source }: EventRequest): Promise<{ status: number }> {
    const owner = this.owns(sender, recipient)
    const type = mediaType(message.headers.get('content-type') ?? '')
    await this.take(owner, deviceAt(await this.#needs.devicesOf(owner), source), type, message.body)
    return { status: 200 }
  }

  /** Whose store is meant. Throws Failure `forbidden` where it is not the sender's own. */
  owns({ subscriber }: Sender, recipient: string): number {
    const isOwn = recipient === this.#needs.storageUri || subscriber?.identities.includes(recipient) === true
    if (subscriber === undefined || !isOwn) throw new Failure('forbidden', 'events are for a store of one’s own')
    return subscriber.id
  }

  /** `device`: where it came from, if that is known. Throws Failure `malformed`. */
  async take(owner: number, device: string | undefined, contentType: string, body: Buffer): Promise<void> {
    const content = contentOf(mediaType(contentType), body)
    if (content?.type !== storeEventsType) throw new Failure('malformed', 'no event of the store')
    const operations = operationsIn(eventsIn(content.body))
    const names = operations.flatMap(({ objects }) => objects.flatMap(({ messageId }) => messageId ?? []))
    if (names.length === 0) return
    const named = await this.#needs.cursors.named(owner, [...new Set(names)])
    const paths = await this.#needs.mailboxes.pathsOf(owner, [...new Set(named.map(({ folder }) => folder))])
    for (const operation of operations) {
      const ids = this.#meant(operation.objects, named, paths)
      if (ids.length > 0) await this.#apply(owner, device, operation, ids)
    }
  }

  async #apply(owner: number, device: string | undefined, { name, flag }: FlagsOperation, ids: readonly string[]) {
    const { mailboxes, told } = this.#needs
    if (flag.toLowerCase() === '\\deleted') {
      if (name === 'remove') return // what is gone does not come back
      for (const id of ids) if (device !== undefined) told.set({ owner, device, id }, gone)
      await mailboxes.remove(owner, ids)
      return
    }
    const changed = await mailboxes.change(owner, ids, { [name]: [flag] })
    for (const { id } of changed) if (device !== undefined) told.change({ owner, device, id }, name, flag)
  }

  /** All that a reference names has to be so. */
  #meant(
    objects: readonly ObjectReference[],
    named: readonly Named[],
    paths: ReadonlyMap<string, string>,
  ): readonly string[] {
    const ids = objects.flatMap(({ messageId, folderPath, otherParty }) =>
      named
        .filter(({ name }) => name === messageId)
        .filter(({ folder }) => folderPath === undefined || paths.get(folder) === folderPath.replace(/^\/|\/$/g, ''))
        .filter(({ peer }) => otherParty === undefined || this.#isSame(peer, otherParty))
        .map(({ id }) => id),
    )
    return [...new Set(ids)]
  }

  #isSame(peer: string, otherParty: string): boolean {
    return peer === otherParty || peer === this.#needs.canonical(otherParty)
  }
}

const operationsIn = (events: readonly StoreEvent[]): readonly FlagsOperation[] =>
  events.flatMap((event) => (event.type === 'flags' ? event.operations : []))

function eventsIn(body: Buffer): readonly StoreEvent[] {
  try {
    return readStoreEvents(body)
  } catch (err) {
    if (err instanceof MalformedEvent) throw new Failure('malformed', err.message, { cause: err })
    throw err
  }
}

function contentOf(type: string, body: Buffer): { readonly type: string; readonly body: Buffer } | undefined {
  if (type !== 'message/cpim') return { type, body }
  try {
    const cpim = readCpim(body)
    return { type: mediaType(cpim.content.get('content-type') ?? ''), body: cpim.body }
  } catch (err) {
    if (err instanceof MalformedCpim) return undefined
    throw err
  }
}
