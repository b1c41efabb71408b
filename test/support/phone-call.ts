import { randomBytes } from 'node:crypto'
import { type HeaderFields, newBranch, type Phone } from './phone.ts'
import { SipText } from './sip-text.ts'

export interface Said {
  readonly headers?: HeaderFields
  readonly sdp?: string
  readonly contentType?: string
}

/** What a phone says and hears in one dialog (RFC 3261 §12). */
export class PhoneDialog {
  readonly callId: string
  readonly #phone: Phone
  readonly #local: string
  readonly #remote: string
  readonly #target: string

  constructor(phone: Phone, callId: string, local: string, remote: string, target: string) {
    this.#phone = phone
    this.callId = callId
    this.#local = local
    this.#remote = remote
    this.#target = target
  }

  /** The tags of this phone and of the other end. */
  get tags(): readonly [local: string, remote: string] {
    const tagOf = (value: string) => /;tag=([^;]+)/.exec(value)?.[1] ?? ''
    return [tagOf(this.#local), tagOf(this.#remote)]
  }

  /** A request in the dialog; resolves with its final response. */
  request(method: string, said: Said = {}): Promise<SipText> {
    return this.#phone.request(method, this.#target, this.#options(said))
  }

  /** A re-INVITE that is acknowledged when it is accepted, with an answer where the 2xx makes the offer. */
  async reinvite(said: Said = {}, answer?: string): Promise<SipText> {
    const sent: SipText[] = []
    const response = await this.#phone.request('INVITE', this.#target, {
      ...this.#options(said),
      onSent: (request) => sent.push(request),
    })
    if (response.status < 300) this.#phone.raw(ackOf(sent.at(-1) as SipText, response, answer).toBytes())
    return response
  }

  bye(): Promise<SipText> {
    return this.request('BYE')
  }

  /** The next request of that method in this dialog. */
  receive(method: string): Promise<SipText> {
    return this.#phone.receive(method, (message) => message.header('Call-ID') === this.callId)
  }

  #options({ headers, sdp, contentType }: Said) {
    return {
      from: this.#local,
      to: this.#remote,
      headers: { 'Call-ID': this.callId, Contact: `<${this.#phone.contact}>`, ...headers },
      ...typed(sdp, contentType),
    }
  }
}

/** A call that a phone places. */
export class PlacedCall {
  readonly provisional: SipText[] = []
  readonly final: Promise<SipText>
  readonly #phone: Phone
  #ringing: (response: SipText) => void = () => {}
  /** The first 180. */
  readonly ringing: Promise<SipText> = new Promise((resolve) => {
    this.#ringing = resolve
  })
  #invite: SipText | undefined

  constructor(phone: Phone, uri: string, { headers, sdp, contentType }: Said = {}, from?: string) {
    this.#phone = phone
    this.final = phone.request('INVITE', uri, {
      headers: { Contact: `<${phone.contact}>`, ...headers },
      ...(from !== undefined && { from }),
      ...typed(sdp, contentType),
      onSent: (request) => {
        this.#invite = request
      },
      onProvisional: (response) => {
        this.provisional.push(response)
        if (response.status === 180) this.#ringing(response)
      },
    })
  }

  get #sent(): SipText {
    if (this.#invite === undefined) throw new Error('no INVITE was sent')
    return this.#invite
  }

  /** Waits for the 2xx and acknowledges it, with an answer where it made the offer. */
  async answered(answer?: string): Promise<{ readonly response: SipText; readonly dialog: PhoneDialog }> {
    const response = await this.final
    if (response.status >= 300) throw new Error(`refused: ${response.status} ${response.reason}`)
    this.#phone.raw(ackOf(this.#sent, response, answer).toBytes())
    const [local = '', remote = ''] = [response.header('From'), response.header('To')]
    return { response, dialog: new PhoneDialog(this.#phone, callIdOf(response), local, remote, contactOf(response)) }
  }

  /** CANCEL (RFC 3261 §9.1); resolves with its own response. */
  cancel(): Promise<SipText> {
    const invite = this.#sent
    const lines = invite.headers.filter(([name]) => /^(via|max-forwards|from|to|call-id)$/i.test(name))
    const cseq = ['CSeq', `${Number.parseInt(invite.header('CSeq') ?? '', 10)} CANCEL`] as const
    return this.#phone.transact(new SipText(`CANCEL ${invite.uri} SIP/2.0`, [...lines, cseq]))
  }
}

/** A call that a phone gets. It answers the INVITE when the test says so; whoever calls it must have called `awaitCalls`. */
export class ReceivedCall {
  readonly invite: SipText
  readonly #phone: Phone
  readonly #tag = randomBytes(6).toString('hex')

  constructor(phone: Phone, invite: SipText) {
    this.#phone = phone
    this.invite = invite
  }

  static async next(phone: Phone): Promise<ReceivedCall> {
    return new ReceivedCall(
      phone,
      await phone.receive('INVITE', (message) => !/;tag=/.test(message.header('To') ?? '')),
    )
  }

  get callId(): string {
    return callIdOf(this.invite)
  }

  respond(status: number, said: Said = {}): void {
    respondTo(this.#phone, this.invite, status, said, this.#to)
  }

  /** 200; resolves when it is acknowledged. */
  async answer(
    sdp: string,
    headers: HeaderFields = {},
  ): Promise<{ readonly ack: SipText; readonly dialog: PhoneDialog }> {
    this.respond(200, { sdp, headers })
    const ack = await this.#phone.receive('ACK', (message) => message.header('Call-ID') === this.callId)
    const remote = this.invite.header('From') ?? ''
    return { ack, dialog: new PhoneDialog(this.#phone, this.callId, this.#to, remote, contactOf(this.invite)) }
  }

  /** The CANCEL, after which the INVITE is answered 487. */
  async cancelled(): Promise<SipText> {
    const cancel = await this.#phone.receive('CANCEL', (message) => message.header('Call-ID') === this.callId)
    this.respond(487)
    return cancel
  }

  get #to(): string {
    return `${this.invite.header('To')};tag=${this.#tag}`
  }
}

/** From now on the tests answer INVITEs, first ones and later ones. */
export function awaitCalls(phone: Phone): void {
  const usual = phone.answer
  phone.answer = (request) => (request.method === 'INVITE' ? 'silence' : usual(request))
}

/** A response as the phone writes it. */
export function respondTo(
  phone: Phone,
  request: SipText,
  status: number,
  { headers = {}, sdp, contentType }: Said = {},
  to = request.header('To') ?? '',
): void {
  const copied = request.headers.filter(([name]) => /^(via|from|call-id|cseq|record-route)$/i.test(name))
  const own: [string, string][] = Object.entries({ Contact: `<${phone.contact}>`, ...headers }).flatMap(
    ([name, value]) => [value ?? []].flat().map((one): [string, string] => [name, one]),
  )
  if (sdp !== undefined) own.push(['Content-Type', contentType ?? 'application/sdp'])
  const reason = status < 300 ? 'OK' : 'Refused'
  phone.raw(
    new SipText(`SIP/2.0 ${status} ${reason}`, [...copied, ['To', to], ...own], Buffer.from(sdp ?? '')).toBytes(),
  )
}

const callIdOf = (message: SipText): string => message.header('Call-ID') ?? ''
const contactOf = (message: SipText): string => /<([^>]+)>/.exec(message.header('Contact') ?? '')?.[1] ?? ''

const typed = (sdp: string | undefined, contentType = 'application/sdp') =>
  sdp === undefined ? {} : { contentType, body: sdp }

/** The ACK of a 2xx is a transaction of its own (RFC 3261 §13.2.2.4). */
function ackOf(invite: SipText, response: SipText, answer?: string): SipText {
  const via = (invite.header('Via') ?? '').replace(/branch=[^;]+/, `branch=${newBranch()}`)
  const lines = invite.headers.filter(([name]) => /^(max-forwards|from|call-id)$/i.test(name))
  const cseq = `${Number.parseInt(invite.header('CSeq') ?? '', 10)} ACK`
  const own: [string, string][] = [
    ['To', response.header('To') ?? ''],
    ['CSeq', cseq],
  ]
  if (answer !== undefined) own.push(['Content-Type', 'application/sdp'])
  return new SipText(`ACK ${contactOf(response)} SIP/2.0`, [['Via', via], ...lines, ...own], Buffer.from(answer ?? ''))
}
