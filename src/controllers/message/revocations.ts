import { revocationTag } from '../../protocols/rcs-revoke/revocation.ts'
import { domainOf } from '../../protocols/sip/address-of-record.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { type Device, wayTo } from './device.ts'
import { firstRowId, lastRowId } from './message-id.ts'
import type { Needs, Subscriber } from './needs.ts'
import { OpenSendings } from './open-sendings.ts'
import { type PagerMessage, senderKey } from './pager-message.ts'
import { accepted, type MessageReply } from './reply.ts'
import { readRevocationIn, revocationAnswer } from './revocation-content.ts'
import type { StoredMessages } from './stored-messages.ts'
import type { TerminatingFunction } from './terminating-function.ts'
import type { Waiting } from './waiting.ts'
import type { WaitingMessages } from './waiting-messages.ts'

interface RevocationNeeds
  extends Pick<
    Needs,
    'now' | 'newId' | 'ownUri' | 'subscriberOf' | 'devicesOf' | 'settingsOf' | 'isLocal' | 'send' | 'mark'
  > {
  readonly waiting: Pick<Waiting, 'takeBack'>
  readonly messages: Pick<WaitingMessages, 'idsOf'>
  readonly stored: Pick<StoredMessages, 'remove'>
  readonly terminating: Pick<TerminatingFunction, 'deliver'>
  /** A request of the server's own, as it goes on its way. */
  readonly ownMessage: (request: SipRequest, recipient: string) => PagerMessage
}

/** A flag of stored copies. */
const revoked = '$Revoked'
const settled: MessageReply = { status: 200 }

/**
 * Revocations (GSMA RCC.07; features 1.7). A row is named by who has sent it, so nobody finds another's. Where nobody has the
 * message yet, it goes, and so does its copy in the store. Else it has been delivered, and the revocation has failed: the
 * copy is marked, what waits for other devices goes, and devices that take revocations hear of it.
 */
export class Revocations {
  readonly #needs: RevocationNeeds
  readonly #sendings: OpenSendings

  constructor(needs: RevocationNeeds) {
    this.#needs = needs
    this.#sendings = new OpenSendings(needs.send)
  }

  close(): void {
    this.#sendings.abandon()
  }

  async handle(message: PagerMessage): Promise<MessageReply> {
    const { request, sender, recipient } = message
    const { messageId, result } = readRevocationIn(request)
    const domain = domainOf(recipient)
    const isOurs = domain === undefined || this.#needs.isLocal(domain)
    // What came of it this server tells for its users, and a peer for its own.
    if (isOurs && result !== undefined && sender.subscriber !== undefined) return settled
    const owner = isOurs && result === undefined ? await this.#needs.subscriberOf(recipient) : undefined
    if (owner === undefined) return await this.#needs.terminating.deliver(message, own)
    const undelivered = await this.#revoke(owner, message, messageId)
    await this.#answer(message, { messageId, result: undelivered ? 'success' : 'failed' })
    return accepted
  }

  /** Whether nobody has it, nor will have it. */
  async #revoke(owner: Subscriber, message: PagerMessage, messageId: string): Promise<boolean> {
    const key = senderKey(message.sender)
    const [first, last] = [firstRowId(key, messageId), lastRowId(key, messageId)]
    const ids = await this.#needs.messages.idsOf(owner.id, first, last)
    let undelivered = ids.length > 0
    for (const id of ids) undelivered = (await this.#needs.waiting.takeBack(owner.id, id)) && undelivered
    if (undelivered) for (const id of ids) await this.#needs.stored.remove(owner.id, id)
    else if (ids.length > 0) await this.#needs.mark(owner.id, ids, revoked)
    const senderId = message.sender.subscriber?.id
    if (undelivered && senderId !== undefined && senderId !== owner.id) await this.#needs.mark(senderId, ids, revoked)
    if (!undelivered) await this.#forward(owner, message)
    return undelivered
  }

  /** Not waited for: what a device makes of it, no answer of its tells. */
  async #forward(owner: Subscriber, message: PagerMessage): Promise<void> {
    const settings = await this.#needs.settingsOf(owner.id)
    if (settings?.admits(message.sender, false) === false) return
    for (const device of await this.#needs.devicesOf(owner.id)) {
      if (!takesRevocations(device)) continue
      void this.#sendings.send(message.toDevice(device), wayTo(device, message.request.uri))
    }
  }

  async #answer({ request, sender, recipient }: PagerMessage, revocation: Answered): Promise<void> {
    const { now, newId, ownUri, terminating, ownMessage } = this.#needs
    const host = domainOf(ownUri()) ?? 'localhost'
    const at = { now: now(), id: newId(), host }
    const answer = revocationAnswer({ request, revocation, sender: sender.aor, recipient, ...at })
    await terminating.deliver(ownMessage(answer, sender.aor), own)
  }
}

type Answered = Parameters<typeof revocationAnswer>[0]['revocation']

/** It is no part of a history. */
const own = { storable: false, sender: undefined } as const

const takesRevocations = ({ features }: Device): boolean => features.has(revocationTag)
