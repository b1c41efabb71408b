import { Failure } from '../../failure.ts'
import { domainOf } from '../../protocols/sip/address-of-record.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { readMessageToMany } from './message-to-many.ts'
import type { Needs } from './needs.ts'
import { type PagerMessage, type Sender, senderKey } from './pager-message.ts'
import type { TerminatingFunction } from './terminating-function.ts'

interface ListNeeds extends Pick<Needs, 'subscriberOf' | 'isLocal' | 'policy'> {
  readonly terminating: TerminatingFunction
  /** A copy cannot be delivered; its sender may have asked to be told. */
  readonly failed: (message: PagerMessage) => Promise<void>
}

/** What a sender does well to try again for: the copy is nowhere yet. */
const retriable: ReadonlySet<string> = new Set(['database-unavailable', 'overloaded'])

/** The MESSAGE URI-list service (RFC 5365): one request to many recipients. */
export class UriListService {
  readonly #needs: ListNeeds
  constructor(needs: ListNeeds) {
    this.#needs = needs
  }

  /** Resolves once every copy is with its recipient, or committed, or given up. Throws a Failure when one is not safe. */
  async explode(
    request: SipRequest,
    sender: Sender,
    pagerMessage: (copy: SipRequest, recipient: string) => PagerMessage,
  ): Promise<void> {
    const many = readMessageToMany(request, this.#needs.policy.maxRecipients)
    // Two names of one user are one recipient, and the sender needs no copy.
    const served = new Set([senderKey(sender)])
    const copies: Promise<void>[] = []
    for (const [address, uri] of many.recipients) {
      const user = await this.#userOf(address)
      if (served.has(user)) continue
      served.add(user)
      copies.push(this.#deliver(pagerMessage(many.copyFor(uri), address), sender.subscriber?.id))
    }
    const failed = (await Promise.allSettled(copies)).find(({ status }) => status === 'rejected')
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason
  }

  async #userOf(address: string): Promise<string> {
    const domain = domainOf(address)
    if (domain !== undefined && !this.#needs.isLocal(domain)) return address
    return (await this.#needs.subscriberOf(address))?.identities[0] ?? address
  }

  async #deliver(message: PagerMessage, sender: number | undefined): Promise<void> {
    let status = 0
    try {
      status = (await this.#needs.terminating.deliver(message, { storable: true, sender })).status
    } catch (error) {
      if (!(error instanceof Failure) || retriable.has(error.condition)) throw error
    }
    if (status < 200 || status > 299) await this.#needs.failed(message)
  }
}
