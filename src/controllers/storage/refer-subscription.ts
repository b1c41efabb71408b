import { randomBytes } from 'node:crypto'
import { Headers } from '../../protocols/sip/headers.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import { SipRequest } from '../../protocols/sip/message.ts'
import { readNameAddr, writeNameAddr } from '../../protocols/sip/name-addr.ts'

export type Fields = readonly (readonly [name: string, value: string])[]

export interface Notify {
  readonly headers: Fields
  readonly body: Buffer
}

/** Brings a NOTIFY to who has sent the REFER; false: it was not taken, and there are to be no more. */
export type SendNotify = (notify: Notify) => Promise<boolean>

const contentType = 'message/sipfrag;version=2.0'
/** Seconds: there is nothing that takes longer. */
const expires = 60

/** Tells what comes of a REFER (RFC 3515 §2.4.4): that it is tried, then how it went. */
export class ReferSubscription {
  readonly #send: SendNotify
  readonly #event: string
  #last: Promise<boolean>

  /** `id`: the number of the REFER, where its dialog may have others. */
  constructor(send: SendNotify, id?: string) {
    this.#send = send
    this.#event = id === undefined ? 'refer' : `refer;id=${id}`
    // After the response, so that who has sent the REFER knows the dialog by then.
    this.#last = new Promise((resolve) => setImmediate(resolve, true))
  }

  trying(): void {
    this.#notify(`active;expires=${expires}`, 'SIP/2.0 100 Trying')
  }

  done(status: number, reason: string): void {
    this.#notify('terminated;reason=noresource', `SIP/2.0 ${status} ${reason}`)
  }

  #notify(state: string, line: string): void {
    const headers: Fields = [
      ['Event', this.#event],
      ['Subscription-State', state],
      ['Content-Type', contentType],
    ]
    const sending = this.#last.then((taken) => taken && this.#send({ headers, body: Buffer.from(`${line}\r\n`) }))
    // A Contact that leads nowhere: nobody is told.
    this.#last = sending.catch(() => false)
  }
}

/** The dialog that a REFER makes which came in none. */
export interface ReferDialog {
  readonly localTag: string
  /** The next request in it. */
  request(notify: Notify): SipRequest
}

/** Throws MalformedSip where no dialog can come of it. */
export function dialogOf({ headers }: SipRequest, ownUri: string): ReferDialog {
  const contact = headers.get('contact')
  if (contact === undefined) throw new MalformedSip('a REFER without Contact')
  const target = readNameAddr(contact).uri
  const localTag = randomBytes(8).toString('hex')
  const to = readNameAddr(headers.get('to') ?? '')
  const local = writeNameAddr({ ...to, params: new Map([['tag', localTag]]) })
  const [remote, callId] = [headers.get('from') ?? '', headers.get('call-id') ?? '']
  const routes = headers.all('record-route')
  let number = 0
  return {
    localTag,
    request: (notify) => {
      number += 1
      const fields: Fields = [
        ['Max-Forwards', '70'],
        ['From', local],
        ['To', remote],
        ['Call-ID', callId],
        ['CSeq', `${number} NOTIFY`],
        ...routes.map((route) => ['Route', route] as const),
        ['Contact', `<${ownUri}>`],
        ...notify.headers,
      ]
      return new SipRequest('NOTIFY', target, new Headers(fields), notify.body)
    },
  }
}
