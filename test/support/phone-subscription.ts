import { expect } from 'vitest'
import type { HeaderFields, Phone } from './phone.ts'
import type { SipText } from './sip-text.ts'

export interface SubscribeOptions {
  readonly resource?: string
  readonly expires?: number
  readonly accept?: string
  readonly body?: string | Buffer
  readonly contentType?: string
  readonly headers?: HeaderFields
}

/** A subscription as a phone has it (RFC 6665 §4.1): its dialog, and the NOTIFY that come in it. */
export class PhoneSubscription {
  readonly phone: Phone
  readonly event: string
  readonly callId: string
  /** The answer to the first SUBSCRIBE. */
  readonly response: SipText
  readonly #from: string
  readonly #options: SubscribeOptions

  private constructor(phone: Phone, event: string, request: SipText, response: SipText, options: SubscribeOptions) {
    this.phone = phone
    this.event = event
    this.callId = request.header('Call-ID') ?? ''
    this.#from = request.header('From') ?? ''
    this.response = response
    this.#options = options
  }

  /** Subscribes, whatever the answer. */
  static async try(phone: Phone, event: string, options: SubscribeOptions = {}): Promise<PhoneSubscription> {
    let sent: SipText | undefined
    const response = await phone.request('SUBSCRIBE', options.resource ?? phone.aor, {
      headers: fields(phone, event, options),
      ...(options.body !== undefined && { body: options.body }),
      ...(options.contentType !== undefined && { contentType: options.contentType }),
      onSent: (request) => {
        sent = request
      },
    })
    return new PhoneSubscription(phone, event, sent as SipText, response, options)
  }

  /** Subscribes, and gets 200. */
  static async begin(phone: Phone, event: string, options: SubscribeOptions = {}): Promise<PhoneSubscription> {
    const subscription = await PhoneSubscription.try(phone, event, options)
    expect(subscription.response.status).toBe(200)
    return subscription
  }

  /** The next NOTIFY of this dialog. */
  notify(where: (notify: SipText) => boolean = () => true): Promise<SipText> {
    return this.phone.receive('NOTIFY', (notify) => notify.header('Call-ID') === this.callId && where(notify))
  }

  /** SUBSCRIBE in the dialog; 0 ends it. */
  refresh(expires = this.#options.expires ?? 600, headers: HeaderFields = {}): Promise<SipText> {
    return this.#again(this.phone, this.#from, expires, headers)
  }

  /** The same from the phone of somebody else, who has seen the dialog pass. */
  imitate(phone: Phone, expires: number): Promise<SipText> {
    const from = this.#from.replace(this.phone.aor, phone.aor)
    return this.#again(phone, from, expires, { CSeq: '1000 SUBSCRIBE' })
  }

  #again(phone: Phone, from: string, expires: number, headers: HeaderFields): Promise<SipText> {
    const target = /<([^>]+)>/.exec(this.response.header('Contact') ?? '')?.[1] ?? this.phone.aor
    return phone.request('SUBSCRIBE', target, {
      from,
      to: this.response.header('To') ?? '',
      headers: { ...fields(phone, this.event, { ...this.#options, expires }), 'Call-ID': this.callId, ...headers },
    })
  }
}

const fields = (phone: Phone, event: string, { expires, accept, headers }: SubscribeOptions): HeaderFields => ({
  Event: event,
  Contact: `<${phone.contact}>`,
  ...(expires !== undefined && { Expires: String(expires) }),
  ...(accept !== undefined && { Accept: accept }),
  ...headers,
})

/** `active`, `pending` or `terminated`. */
export const stateOf = (notify: SipText): string => (notify.header('Subscription-State') ?? '').split(';')[0] ?? ''
