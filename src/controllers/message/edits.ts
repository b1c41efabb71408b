import { readCpim } from '../../protocols/cpim/cpim.ts'
import { MalformedCpim } from '../../protocols/cpim/malformed-cpim.ts'
import { mediaType } from '../../protocols/mime/content-type.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { firstRowId, lastRowId } from './message-id.ts'
import type { Needs } from './needs.ts'
import { type PagerMessage, senderKey } from './pager-message.ts'
import type { WaitingMessages } from './waiting-messages.ts'

type EditNeeds = Pick<Needs, 'subscriberOf' | 'mark'> & { readonly messages: Pick<WaitingMessages, 'idsOf'> }

/**
 * A message that says that it edits an earlier one. In RCS that is a message as any other, which refers to the other in its
 * CPIM header fields (Reference-ID and Reference-Type; no source at hand has their namespace, and any is taken). It is stored
 * as such, and nothing of the earlier one is lost: both copies of that are marked `$Edited`, where its sender is the same.
 */
export class Edits {
  readonly #needs: EditNeeds

  constructor(needs: EditNeeds) {
    this.#needs = needs
  }

  async note(message: PagerMessage): Promise<void> {
    const edited = editedBy(message.request)
    if (edited === undefined) return
    const key = senderKey(message.sender)
    const recipient = await this.#needs.subscriberOf(message.recipient)
    const owners = new Set([message.sender.subscriber?.id, recipient?.id])
    for (const owner of owners) {
      if (owner === undefined) continue
      const ids = await this.#needs.messages.idsOf(owner, firstRowId(key, edited), lastRowId(key, edited))
      if (ids.length > 0) await this.#needs.mark(owner, ids, '$Edited')
    }
  }
}

/** imdn.Message-ID of the message that this one edits. */
export function editedBy({ headers, body }: SipRequest): string | undefined {
  if (!body.includes('Reference-Type') || headers.has('content-encoding')) return undefined
  if (mediaType(headers.get('content-type') ?? '') !== 'message/cpim') return undefined
  try {
    const { headers: fields } = readCpim(body)
    const field = (name: string) => fields.find((one) => one.name === name)?.value.trim()
    return /^\+?edit$/i.test(field('Reference-Type') ?? '') ? field('Reference-ID') || undefined : undefined
  } catch (err) {
    if (err instanceof MalformedCpim) return undefined
    throw err
  }
}
