import { Failure } from '../../failure.ts'
import { cpimHeader, readCpim } from '../../protocols/cpim/cpim.ts'
import { MalformedCpim } from '../../protocols/cpim/malformed-cpim.ts'
import { mediaType } from '../../protocols/mime/content-type.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import type { DeferredKey, DeferredMessages } from './deferred-messages.ts'
import { readKept } from './kept-request.ts'
import { readImdnFields } from './message-id.ts'
import type { StoredMessages } from './stored-messages.ts'
import { toFetch } from './to-fetch.ts'
import { beginning, type Place, type WaitingMessage, type WaitingMessages } from './waiting-messages.ts'

interface WaitingNeeds {
  readonly now: () => number
  readonly waiting: WaitingMessages
  readonly queue: Pick<DeferredMessages, 'settle' | 'requestOf' | 'release'>
  readonly stored: Pick<StoredMessages, 'remove'>
  /** Whether such a message is part of the history of its recipient, fetched or not. */
  readonly isHistory: (owner: number, message: SipRequest, peer: string) => Promise<boolean>
  /** Tells the sender, if that was asked for. */
  readonly failed: (request: SipRequest, peer: string, id: string) => Promise<void>
}

/** What a list tells of a message. */
export interface WaitingEntry {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly messageId: string
  readonly subject?: string
  readonly conversationId?: string
  readonly contributionId?: string
  readonly contentType: string
  readonly size: number
  /** Milliseconds since 1970. */
  readonly arrivedAt: number
  readonly expiresAt: number
  /** It comes by itself to devices that register; else it is to be fetched. */
  readonly delivered: boolean
}

export interface WaitingPage {
  readonly entries: readonly WaitingEntry[]
  readonly next?: Place
}

/** The time in which somebody who has taken hold of a message is done with it. */
const holdFor = 45_000

/** What waits for a user, as the user handles it: listed, fetched, rejected, cleared, message by message. */
export class Waiting {
  readonly #needs: WaitingNeeds

  constructor(needs: WaitingNeeds) {
    this.#needs = needs
  }

  async list(owner: number, after: Place = beginning, limit = 50): Promise<WaitingPage> {
    const found = await this.#needs.waiting.list(owner, after, limit + 1)
    const entries = found.slice(0, limit).map(entryOf)
    const last = found[limit - 1]
    return found.length > limit && last !== undefined
      ? { entries, next: { arrived: last.arrived, id: last.id } }
      : { entries }
  }

  async find(owner: number, id: string): Promise<WaitingEntry> {
    return entryOf(await this.#found(owner, id))
  }

  /** As it was sent. Devices that are named get it all the same; it does not wait for whoever comes first any more. */
  async fetch(owner: number, id: string): Promise<SipRequest> {
    const { arrived } = await this.#found(owner, id)
    const bytes = await this.#needs.queue.requestOf(owner, id)
    if (bytes === undefined) throw new Failure('not-found')
    await this.#needs.queue.settle(['', toFetch].map((device) => ({ owner, device, arrived, message: id })))
    return readKept(bytes)
  }

  /** Its sender is told that it was not delivered, if that was asked for. Nobody gets it. */
  async reject(owner: number, id: string): Promise<void> {
    const bytes = await this.#needs.queue.requestOf(owner, id)
    const { peer } = await this.#found(owner, id)
    if (bytes === undefined) throw new Failure('not-found')
    await this.#end(owner, id, async () => await this.#needs.failed(readKept(bytes), peer, id))
  }

  /** Nobody gets it, and nobody is told. */
  async clear(owner: number, id: string): Promise<void> {
    await this.#end(owner, id, async () => {})
  }

  /** Something has changed in the owner's store: what has been seen there is fetched. */
  async settleSeen(owner: number): Promise<void> {
    const keys = await this.#needs.waiting.seenUnfetched(owner)
    if (keys.length > 0) await this.#needs.queue.settle(keys)
  }

  /** The owner has read them elsewhere. */
  async fetched(owner: number, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#needs.queue.settle(await this.#needs.waiting.toFetchOf(owner, ids))
  }

  /** It waits no more, and nobody has had it: it goes from the store as well, but for those who keep a history. */
  async gone(owner: number, message: SipRequest, peer: string, id: string): Promise<void> {
    if (!(await this.#needs.isHistory(owner, message, peer))) await this.#needs.stored.remove(owner, id)
  }

  /**
   * Takes a message back before anybody has it. False: a device has it, or is being given it, or it is not known; whoever else
   * waited for it does not get it.
   */
  async takeBack(owner: number, id: string): Promise<boolean> {
    const held = await this.#needs.waiting.hold(owner, id, this.#needs.now(), this.#needs.now() + holdFor)
    if (held === 'gone' || held === 'busy') return false
    await this.#needs.queue.settle(held.keys)
    return held.keys.some(({ device }) => device === '' || device === toFetch)
  }

  async #end(owner: number, id: string, before: () => Promise<void>): Promise<void> {
    const { waiting, queue, now } = this.#needs
    const { head, peer } = await this.#found(owner, id)
    const held = await waiting.hold(owner, id, now(), now() + holdFor)
    if (held === 'gone') throw new Failure('not-found', 'no such message waits')
    if (held === 'busy') throw new Failure('conflict', 'the message is being delivered')
    try {
      await before()
    } catch (err) {
      await queue.release(releasesOf(held.keys, now()))
      throw err
    }
    await queue.settle(held.keys)
    await this.gone(owner, head, peer, id)
  }

  async #found(owner: number, id: string): Promise<WaitingMessage> {
    const found = await this.#needs.waiting.find(owner, id)
    if (found === undefined) throw new Failure('not-found', 'no such message waits')
    return found
  }
}

const releasesOf = (keys: readonly DeferredKey[], nextAt: number) =>
  keys.map((key) => ({ key, nextAt, attempted: false }))

function entryOf({ id, peer, arrived, expiresAt, devices, head, bytes }: WaitingMessage): WaitingEntry {
  const { headers } = head
  const subject = headers.get('subject')
  const conversationId = headers.get('conversation-id')
  const contributionId = headers.get('contribution-id')
  return {
    id,
    from: peer,
    to: head.uri,
    messageId: readImdnFields(head)?.messageId ?? headers.get('call-id') ?? '',
    ...(subject !== undefined && { subject: Buffer.from(subject, 'latin1').toString() }),
    ...(conversationId !== undefined && { conversationId }),
    ...(contributionId !== undefined && { contributionId }),
    contentType: contentTypeOf(head),
    size: bytes,
    arrivedAt: Math.floor(arrived / 1000),
    expiresAt,
    delivered: !devices.includes(toFetch),
  }
}

/** Of what is inside message/cpim. */
function contentTypeOf({ headers, body }: SipRequest): string {
  const type = headers.get('content-type') ?? 'text/plain'
  if (mediaType(type) !== 'message/cpim' || headers.has('content-encoding')) return type
  try {
    const cpim = readCpim(body)
    return cpim.content.get('content-type') ?? cpimHeader(cpim, 'Content-Type') ?? type
  } catch (err) {
    if (err instanceof MalformedCpim) return type
    throw err
  }
}
