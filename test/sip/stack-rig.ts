import { readFileSync } from 'node:fs'
import { Headers } from '../../src/protocols/sip/headers.ts'
import { SipRequest, type SipResponse } from '../../src/protocols/sip/message.ts'
import { responseTo } from '../../src/protocols/sip/respond.ts'
import type { Counters, DropReason } from '../../src/sip/counters.ts'
import type { ListeningAddress, ServerTransaction, StackOptions, Target, Transport } from '../../src/sip/sip-stack.ts'
import { SipStack } from '../../src/sip/sip-stack.ts'
import { certificate } from '../support/certificate.ts'
import { readSipText, type SipText } from '../support/sip-text.ts'
import { openWire, type Place, type Wire } from '../support/wire.ts'

export const identity = { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) }

/** Something that comes in its time: what was put in is taken out, in order, and waited for. */
export class Mailbox<Item> {
  readonly #items: Item[] = []
  readonly #waiting: ((item: Item) => void)[] = []

  get size(): number {
    return this.#items.length
  }

  put(item: Item): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#items.push(item)
    else waiting(item)
  }

  take(): Promise<Item> {
    const item = this.#items.shift()
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item)
  }
}

export interface Final {
  readonly response: SipResponse
  readonly local: boolean
}

/** A started stack on ports of the kernel's choice, whose clock can be put forward. */
export class StackRig {
  readonly stack: SipStack
  readonly requests = new Mailbox<ServerTransaction>()
  readonly closedFlows = new Mailbox<string>()
  readonly dropped: DropReason[] = []
  retransmitted = 0
  /** 'hold' leaves requests for the test to answer. */
  answer: number | 'hold' = 200
  listening: readonly ListeningAddress[] = []
  #skew = 0

  private constructor(options: Partial<StackOptions>) {
    const counters: Counters = {
      received() {},
      sent() {},
      retransmitted: () => {
        this.retransmitted++
      },
      dropped: (reason) => {
        this.dropped.push(reason)
      },
    }
    this.stack = new SipStack({
      listen: [],
      tls: identity,
      trust: { ca: identity.cert },
      counters,
      now: () => performance.now() + this.#skew,
      onRequest: (transaction) => this.#onRequest(transaction),
      onFlowClosed: (flow) => this.closedFlows.put(flow),
      ...options,
    })
  }

  /** Listens on 127.0.0.1 by each of `transports`, or on what `options` say. */
  static async start(transports: readonly Transport[], options: Partial<StackOptions> = {}): Promise<StackRig> {
    const listen = transports.map((transport) => ({ transport, address: '127.0.0.1', port: 0 }))
    const rig = new StackRig({ listen, ...options })
    rig.listening = await rig.stack.start()
    return rig
  }

  at(transport: Transport, address?: string): ListeningAddress {
    const found = this.listening.find(
      (each) => each.transport === transport && (address ?? each.address) === each.address,
    )
    if (found === undefined) throw new Error(`not listening on ${transport}`)
    return found
  }

  send(request: SipRequest, target: Target): Promise<Final> {
    return new Promise((resolve) => this.stack.send(request, target, (response, local) => resolve({ response, local })))
  }

  /** Puts the clock forward; the wheel sees it when it turns next. */
  skip(ms: number): void {
    this.#skew += ms
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.close(AbortSignal.abort())
  }

  #onRequest(transaction: ServerTransaction): void {
    if (this.answer !== 'hold') transaction.respond(responseTo(transaction.request, this.answer))
    this.requests.put(transaction)
  }
}

/** A peer with a socket of its own that reads SIP with the tests' own eyes. */
export class Peer {
  readonly messages = new Mailbox<SipText>()
  readonly pongs = new Mailbox<'pong'>()
  readonly others = new Mailbox<Buffer>()
  readonly closed: Promise<void>
  wire!: Wire
  #onClosed = () => {}

  private constructor() {
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve
    })
  }

  static async to(place: Place, localPort?: number): Promise<Peer> {
    const peer = new Peer()
    const events = {
      onMessage: (message: SipText) => peer.messages.put(message),
      onPong: () => peer.pongs.put('pong'),
      onOther: (bytes: Buffer) => peer.others.put(bytes),
      onClose: () => peer.#onClosed(),
    }
    peer.wire = await openWire(place, events, { port: localPort })
    return peer
  }

  send(message: Buffer | string): void {
    this.wire.send(typeof message === 'string' ? Buffer.from(message, 'latin1') : message)
  }

  /** Answers a request with `status` and nothing else. */
  reply(request: SipText, status: number): void {
    this.send(replyTo(request, status))
  }

  [Symbol.dispose](): void {
    this.wire.close()
  }
}

export function replyTo(request: SipText, status: number): string {
  const lines = request.headers.filter(([name]) => /^(via|from|to|call-id|cseq)$/i.test(name))
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `SIP/2.0 ${status} Whatever\r\n${head}Content-Length: 0\r\n\r\n`
}

export const readOne = (bytes: Buffer): SipText | undefined => readSipText(bytes, true)?.message

let count = 0

export interface Fields {
  readonly method?: string
  readonly uri?: string
  readonly transport?: string
  readonly sentBy?: string
  readonly viaParams?: string
  readonly branch?: string
  readonly moreVia?: string
  readonly callId?: string
  readonly cseq?: number
  readonly body?: Buffer | string
  readonly headers?: string
}

/** The bytes of a request that has all it must have. */
export function requestBytes(fields: Fields = {}): Buffer {
  const n = ++count
  const { method = 'MESSAGE', uri = 'sip:bob@parley.test', transport = 'UDP', sentBy = '127.0.0.1:9' } = fields
  const body = Buffer.from(fields.body ?? 'hi')
  const head = [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/${transport} ${sentBy};branch=${fields.branch ?? `z9hG4bK-test-${n}`}${fields.viaParams ?? ';rport'}`,
    ...(fields.moreVia === undefined ? [] : [`Via: ${fields.moreVia}`]),
    'Max-Forwards: 70',
    'From: <sip:alice@parley.test>;tag=a',
    'To: <sip:bob@parley.test>',
    `Call-ID: ${fields.callId ?? `call-${n}`}`,
    `CSeq: ${fields.cseq ?? 1} ${method}`,
    ...(fields.headers === undefined ? [] : [fields.headers]),
    `Content-Length: ${body.length}`,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), body])
}

/** The same as a value, for the stack to send. */
export function requestTo(uri: string, fields: { method?: string; body?: Buffer } = {}): SipRequest {
  const n = ++count
  const { method = 'MESSAGE', body } = fields
  const headers = new Headers([
    ['Max-Forwards', '70'],
    ['From', '<sip:alice@parley.test>;tag=a'],
    ['To', '<sip:bob@parley.test>'],
    ['Call-ID', `call-${n}`],
    ['CSeq', `1 ${method}`],
  ])
  return new SipRequest(method, uri, headers, body)
}
