import { Headers } from '../../../src/protocols/sip/headers.ts'
import { SipRequest, type SipResponse } from '../../../src/protocols/sip/message.ts'
import type { Answer, Ending, Reply } from '../../../src/sip/dialog/dialog-user.ts'
import type {
  InboundInvite,
  InviteDialog,
  OutboundInvite,
  StackOptions,
  Transport,
} from '../../../src/sip/sip-stack.ts'
import { Mailbox, StackRig } from '../stack-rig.ts'

type HeaderLines = readonly (readonly [name: string, value: string])[]

let count = 0

/** A session description that is told from others by its number. */
export const sdp = (n: number) => ({
  headers: [['Content-Type', 'application/sdp']] as const,
  body: Buffer.from(`v=0\r\no=- ${n} ${n} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n`),
})

export const ok = (n: number): Reply => ({ status: 200, ...sdp(n) })

export interface InviteFields {
  readonly headers?: HeaderLines
  readonly body?: Buffer
}

export function inviteTo(uri: string, { headers = [], body }: InviteFields = sdp(1)): SipRequest {
  const n = ++count
  const lines: HeaderLines = [
    ['Max-Forwards', '70'],
    ['From', `<sip:alice@parley.test>;tag=from-${n}`],
    ['To', '<sip:bob@parley.test>'],
    ['Call-ID', `dialog-${n}-${process.pid}`],
    ['CSeq', '1 INVITE'],
    ...headers,
  ]
  return new SipRequest('INVITE', uri, new Headers(lines), body)
}

/** What comes to one end of a dialog. */
export class End {
  readonly requests = new Mailbox<SipRequest>()
  readonly offers = new Mailbox<{ request: SipRequest; cancelled: AbortSignal }>()
  readonly acks = new Mailbox<SipRequest>()
  readonly ended = new Mailbox<Ending>()
  /** What requests and offers are answered with. */
  reply: () => Reply | Promise<Reply> = () => ({ status: 200 })
  answer: () => Reply | Promise<Reply> = () => ok(90)
  readonly dialog: InviteDialog

  constructor(dialog: InviteDialog) {
    this.dialog = dialog
    dialog.serve({
      onRequest: (request) => {
        this.requests.put(request)
        return this.reply()
      },
      onOffer: (request, cancelled) => {
        this.offers.put({ request, cancelled })
        return this.answer()
      },
      onAcknowledged: (ack) => this.acks.put(ack),
      onEnded: (ending) => this.ended.put(ending),
    })
  }
}

/** A call as it is placed, and what comes of it. */
export class Placed {
  readonly provisional = new Mailbox<{ response: SipResponse; dialog: InviteDialog | undefined }>()
  readonly answered = new Mailbox<{ response: SipResponse; end: End }>()
  readonly failed = new Mailbox<{ response: SipResponse; local: boolean }>()
  /** The answers to the offers of responses. */
  answer: Answer
  readonly call: OutboundInvite

  constructor(rig: StackRig, request: SipRequest, target = {}) {
    this.call = rig.stack.invite(request, target, {
      onProvisional: (response, dialog) => {
        this.provisional.put({ response, dialog })
        return this.answer
      },
      onAnswered: (dialog, response) => {
        this.answered.put({ response, end: new End(dialog) })
        return this.answer
      },
      onFailed: (response, local) => this.failed.put({ response, local }),
    })
  }
}

/** Two stacks, of which `caller` calls `callee`. */
export class CallRig {
  readonly caller: StackRig
  readonly callee: StackRig
  readonly transport: Transport

  private constructor(caller: StackRig, callee: StackRig, transport: Transport) {
    this.caller = caller
    this.callee = callee
    this.transport = transport
  }

  static async start(transport: Transport = 'udp', options: Partial<StackOptions> = {}): Promise<CallRig> {
    const [caller, callee] = [await StackRig.start([transport], options), await StackRig.start([transport], options)]
    for (const rig of [caller, callee]) rig.answer = 'hold'
    return new CallRig(caller, callee, transport)
  }

  get calleeUri(): string {
    return `sip:bob@127.0.0.1:${this.callee.at(this.transport).port};transport=${this.transport}`
  }

  /** Sends an INVITE; resolves when it has come. */
  async ring(fields?: InviteFields): Promise<{ placed: Placed; invite: InboundInvite }> {
    const placed = new Placed(this.caller, inviteTo(this.calleeUri, fields))
    return { placed, invite: this.callee.stack.invited(await this.callee.requests.take()) }
  }

  /** A confirmed dialog, its ACK received, seen from both ends. */
  async connect(fields?: InviteFields, reply: Reply = ok(2)): Promise<{ caller: End; callee: End; placed: Placed }> {
    const { placed, invite } = await this.ring(fields)
    const callee = new End(invite.accept(reply))
    const { end: caller } = await placed.answered.take()
    await callee.acks.take()
    return { caller, callee, placed }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.caller[Symbol.asyncDispose]()
    await this.callee[Symbol.asyncDispose]()
  }
}
