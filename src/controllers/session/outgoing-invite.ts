import { Headers } from '../../protocols/sip/headers.ts'
import { SipRequest } from '../../protocols/sip/message.ts'
import { readNameAddr, writeNameAddr } from '../../protocols/sip/name-addr.ts'
import { carried, featuresIn } from './carried.ts'
import type { Fields } from './dialogs.ts'
import type { Sender } from './needs.ts'

export interface OutgoingInviteOptions {
  readonly message: SipRequest
  readonly sender: Sender
  readonly newId: () => string
  /** Of a digest challenge (RFC 7616). */
  readonly isOwnRealm: (realm: string) => boolean
}

/**
 * The INVITE as it goes on: a dialog of its own on each leg, the parties and all that the caller says of the session as
 * they came. The ids of the conversation are the same on all legs (spec/1 §4.2).
 */
export class OutgoingInvite {
  readonly #message: SipRequest
  readonly #sender: Sender
  readonly #newId: () => string
  readonly #isOwnRealm: (realm: string) => boolean
  readonly #fields: Fields

  constructor({ message, sender, newId, isOwnRealm }: OutgoingInviteOptions) {
    this.#message = message
    this.#sender = sender
    this.#newId = newId
    this.#isOwnRealm = isOwnRealm
    this.#fields = [
      ...carried(message.headers, sender.trusted ? undefined : 'p-asserted-service'),
      ...missingIds(message.headers, newId),
      ...this.#service(),
    ]
  }

  toDevice(
    { contact, path }: { readonly contact: string; readonly path: readonly string[] },
    body: Buffer,
  ): SipRequest {
    return this.#request(contact, path, body, false)
  }

  /** To a user of another domain. What is left of Route leads further; our own was taken off by the edge. */
  toForeign(peerTrusted: boolean, body: Buffer): SipRequest {
    const request = this.#request(this.#message.uri, this.#message.headers.all('route'), body, peerTrusted)
    for (const [name, value] of this.#foreignCredentials()) request.headers.add(name, value)
    return request
  }

  /** Credentials for somebody else's realm are not ours to take (RFC 3261 §22.3). */
  #foreignCredentials(): Fields {
    const { headers } = this.#message
    return ['Authorization', 'Proxy-Authorization'].flatMap((name) =>
      headers
        .all(name.toLowerCase())
        .filter((value) => !this.#isOwnRealm(/\brealm\s*=\s*"([^"]*)"/i.exec(value)?.[1] ?? ''))
        .map((value) => [name, value] as const),
    )
  }

  #request(uri: string, route: readonly string[], body: Buffer, trusted: boolean): SipRequest {
    const { headers } = this.#message
    const made = new Headers([
      ['Max-Forwards', String(Number(headers.get('max-forwards') ?? 70) - 1)],
      ['From', this.#from()],
      ['To', headers.get('to') ?? `<${this.#message.uri}>`],
      ['Call-ID', this.#newId()],
      ['CSeq', '1 INVITE'],
      ...route.map((hop) => ['Route', hop] as const),
      ...this.#fields,
      ...featuresIn(headers, this.#sender.anonymous),
      ...this.#identity(trusted),
    ])
    return new SipRequest('INVITE', uri, made, body)
  }

  #from(): string {
    const from = readNameAddr(this.#message.headers.get('from') ?? '')
    const params = new Map(from.params).set('tag', this.#newId().slice(0, 18))
    return writeNameAddr({ ...from, params })
  }

  #service(): Fields {
    const { headers } = this.#message
    const service = headers.get('p-preferred-service')
    if (service === undefined || (this.#sender.trusted && headers.has('p-asserted-service'))) return []
    return [['P-Asserted-Service', service]]
  }

  /** RFC 3325 §5, §7: inside the trust domain the true identity always, towards users only what is not private. */
  #identity(trusted: boolean): Fields {
    if (!trusted && (this.#sender.anonymous || isPrivate(this.#message.headers))) return []
    return [['P-Asserted-Identity', `<${this.#sender.aor}>`]]
  }
}

/** Both ids are on every session (features 1.1). */
function missingIds(headers: Headers, newId: () => string): Fields {
  return ['Conversation-ID', 'Contribution-ID']
    .filter((name) => !headers.has(name.toLowerCase()))
    .map((name) => [name, newId()] as const)
}

const isPrivate = (headers: Headers): boolean =>
  headers.has('privacy') && headers.all('privacy').some((value) => /(?:^|[;,\s])id(?:$|[;,\s])/i.test(value))
