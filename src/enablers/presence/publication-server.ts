import { Failure } from '../../failure.ts'
import { decodeContent } from '../../protocols/mime/content-encoding.ts'
import { MalformedMime } from '../../protocols/mime/malformed-mime.ts'
import { MalformedPidf } from '../../protocols/pidf/malformed-pidf.ts'
import { pidfType, readPidf } from '../../protocols/pidf/pidf.ts'
import { readEvent } from '../../protocols/sip/event.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import type { Publication, Publications } from './publications.ts'

export interface PublishRequest {
  readonly message: SipRequest
  readonly sender: { readonly subscriber?: { readonly id: number } }
  /** Canonical address of the request-URI. */
  readonly recipient: string
}

export interface PublishReply {
  readonly status: number
  readonly reason?: string
  readonly headers?: readonly (readonly [name: string, value: string])[]
}

interface Needs {
  readonly publications: Pick<Publications, 'of' | 'ofNow' | 'add' | 'change' | 'remove'>
  readonly subscriberOf: (
    aor: string,
  ) => { readonly id: number } | undefined | Promise<{ readonly id: number } | undefined>
  readonly now: () => number
  readonly limits: {
    readonly bytes: number
    /** Publications of one user. */
    readonly publications: number
    /** Seconds. */
    readonly minExpires: number
    readonly maxExpires: number
    readonly usualExpires: number
  }
}

/** The event state compositor's door for presence (RFC 3903 §6): what each device says of its user. */
export class PublicationServer {
  readonly #needs: Needs

  constructor(needs: Needs) {
    this.#needs = needs
  }

  async handlePublish({ message, sender, recipient }: PublishRequest): Promise<PublishReply> {
    const event = message.headers.get('event')
    if (event === undefined || readEvent(event).package !== 'presence')
      return { status: 489, headers: [['Allow-Events', 'presence']] }
    const owner = await this.#ownerOf(recipient, sender.subscriber?.id)
    const { minExpires, maxExpires, usualExpires } = this.#needs.limits
    const asked = readExpires(message.headers.get('expires')) ?? usualExpires
    if (asked > 0 && asked < minExpires) return { status: 423, headers: [['Min-Expires', String(minExpires)]] }
    const expires = Math.min(asked, maxExpires)
    const etag = message.headers.get('sip-if-match')?.trim()
    const live = await this.#needs.publications.of(owner)
    if (etag === undefined) return await this.#begin(owner, message, expires, live.length)
    const isMeant = (publication: Publication) => publication.etag === etag
    const known = live.find(isMeant) ?? (await this.#needs.publications.ofNow(owner)).find(isMeant)
    return known === undefined ? gone : await this.#change(known, message, expires)
  }

  /** One publishes for oneself. */
  async #ownerOf(recipient: string, sender: number | undefined): Promise<number> {
    const subscriber = await this.#needs.subscriberOf(recipient)
    if (subscriber === undefined || subscriber.id !== sender) throw new Failure('forbidden')
    return subscriber.id
  }

  async #begin(owner: number, message: SipRequest, expires: number, count: number): Promise<PublishReply> {
    if (message.body.length === 0) throw new MalformedSip('a publication without state')
    if (count >= this.#needs.limits.publications) throw new Failure('forbidden', 'too many publications')
    const content = this.#stateIn(message)
    if (expires === 0) return accepted('none', 0)
    const { etag } = await this.#needs.publications.add(owner, content, this.#until(expires))
    return accepted(etag, expires)
  }

  async #change(known: Publication, message: SipRequest, expires: number): Promise<PublishReply> {
    const { publications } = this.#needs
    if (expires === 0) return (await publications.remove(known)) ? accepted(known.etag, 0) : gone
    const content = message.body.length === 0 ? undefined : this.#stateIn(message)
    const made = await publications.change(known, content, this.#until(expires))
    return made === undefined ? gone : accepted(made.etag, expires)
  }

  #stateIn({ headers, body }: SipRequest): Buffer {
    const type = (headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase()
    if (type !== pidfType) throw new Failure('unsupported-content', `${pidfType} is taken`)
    const { bytes } = this.#needs.limits
    if (body.length > bytes) throw new Failure('message-too-large')
    const content = plain(body, headers.get('content-encoding'), bytes)
    try {
      readPidf(content)
    } catch (err) {
      if (err instanceof MalformedPidf) throw new Failure('malformed', err.message, { cause: err })
      throw err
    }
    return Buffer.from(content)
  }

  #until = (expires: number): number => this.#needs.now() + expires * 1_000
}

/** Some clients deflate their presence. */
function plain(body: Buffer, encoding: string | undefined, mostBytes: number): Buffer {
  try {
    return decodeContent(body, encoding, mostBytes)
  } catch (err) {
    if (err instanceof MalformedMime) throw new Failure('unsupported-content', err.message, { cause: err })
    throw err
  }
}

/** RFC 3903 §11.2.1. */
const gone: PublishReply = { status: 412, reason: 'Conditional Request Failed' }

const accepted = (etag: string, expires: number): PublishReply => ({
  status: 200,
  headers: [
    ['SIP-ETag', etag],
    ['Expires', String(expires)],
  ],
})

const readExpires = (value: string | undefined): number | undefined => {
  const [, seconds] = /^\s*(\d{1,10})\s*$/.exec(value ?? '') ?? []
  return seconds === undefined ? undefined : Number(seconds)
}
