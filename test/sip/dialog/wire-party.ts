import type { SipText } from '../../support/sip-text.ts'
import type { Place } from '../../support/wire.ts'
import { Peer, type StackRig } from '../stack-rig.ts'

export interface Extra {
  readonly headers?: readonly string[]
  readonly body?: string
}

export interface RequestExtra extends Extra {
  readonly cseq?: number
  readonly toTag?: string
  readonly branch?: string
  readonly uri?: string
}

const description = 'v=0\r\no=- 7 7 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n'
export const withDescription: Extra = { headers: ['Content-Type: application/sdp'], body: description }

let count = 0

/** One end of a dialog that writes each message itself, over a UDP socket of its own. */
export class WireParty {
  readonly peer: Peer
  readonly callId = `wire-${++count}`
  #cseq = 0

  private constructor(peer: Peer) {
    this.peer = peer
  }

  static to(rig: StackRig): Promise<WireParty> {
    return WireParty.at({ transport: 'udp', address: '127.0.0.1', port: rig.at('udp').port })
  }

  static async at(place: Place): Promise<WireParty> {
    return new WireParty(await Peer.to(place))
  }

  get uri(): string {
    return `sip:bob@127.0.0.1:${this.peer.wire.localPort}`
  }

  take(): Promise<SipText> {
    return this.peer.messages.take()
  }

  /** The next message that is no retransmission of a 100. */
  async takeFinal(): Promise<SipText> {
    for (;;) {
      const message = await this.take()
      if (message.isRequest || message.status !== 100) return message
    }
  }

  /** The next request of that method; others that come before it are dropped. */
  async takeRequest(method: string): Promise<SipText> {
    for (;;) {
      const message = await this.take()
      if (message.isRequest && message.method === method) return message
    }
  }

  /** The next response to that method. */
  async takeResponse(method: string): Promise<SipText> {
    for (;;) {
      const message = await this.takeFinal()
      if (!message.isRequest && message.header('cseq')?.endsWith(` ${method}`)) return message
    }
  }

  /** Answers with a tag of its own and this end as Contact. */
  answer(request: SipText, status: number, tag: string, { headers = [], body = '' }: Extra = {}): void {
    const to = request.header('to') ?? ''
    const head = [
      `SIP/2.0 ${status} Whatever`,
      ...request.all('via').map((via) => `Via: ${via}`),
      `From: ${request.header('from')}`,
      `To: ${to.includes(';tag=') || tag === '' ? to : `${to};tag=${tag}`}`,
      `Call-ID: ${request.header('call-id')}`,
      `CSeq: ${request.header('cseq')}`,
      `Contact: <${this.uri}>`,
      ...headers,
      `Content-Length: ${body.length}`,
    ]
    this.peer.send(`${head.join('\r\n')}\r\n\r\n${body}`)
  }

  /** Sends a request as the one who called. */
  request(method: string, { headers = [], body = '', cseq, toTag, branch, uri }: RequestExtra = {}): string {
    if (cseq === undefined) this.#cseq++
    const sentBy = `127.0.0.1:${this.peer.wire.localPort}`
    const used = branch ?? `z9hG4bK-wire-${++count}`
    const head = [
      `${method} ${uri ?? 'sip:alice@parley.test'} SIP/2.0`,
      `Via: SIP/2.0/UDP ${sentBy};branch=${used};rport`,
      'Max-Forwards: 70',
      'From: <sip:bob@parley.test>;tag=wire',
      `To: <sip:alice@parley.test>${toTag === undefined ? '' : `;tag=${toTag}`}`,
      `Call-ID: ${this.callId}`,
      `CSeq: ${cseq ?? this.#cseq} ${method}`,
      ...(headers.some((line) => line.startsWith('Contact')) ? [] : [`Contact: <${this.uri}>`]),
      ...headers,
      `Content-Length: ${body.length}`,
    ]
    this.peer.send(`${head.join('\r\n')}\r\n\r\n${body}`)
    return used
  }

  [Symbol.dispose](): void {
    this.peer[Symbol.dispose]()
  }
}

export const tagOf = (header: string | undefined): string => /;tag=([^;]+)/.exec(header ?? '')?.[1] ?? ''
