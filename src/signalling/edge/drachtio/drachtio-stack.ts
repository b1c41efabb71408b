import { randomBytes } from 'node:crypto'
import { checkRequest } from '../../../protocols/sip/check-request.ts'
import { MalformedSip } from '../../../protocols/sip/malformed-sip.ts'
import { type SipMessage, SipRequest } from '../../../protocols/sip/message.ts'
import { readNameAddr } from '../../../protocols/sip/name-addr.ts'
import { reasonOf } from '../../../protocols/sip/respond.ts'
import type { ListeningAddress, Target, Transport } from '../../../sip/addresses.ts'
import { DialogLayer } from '../../../sip/dialog/dialog-layer.ts'
import { InboundInvite } from '../../../sip/dialog/inbound-invite.ts'
import type { InviteDialog } from '../../../sip/dialog/invite-dialog.ts'
import { type CallEvents, OutboundInvite } from '../../../sip/dialog/outbound-invite.ts'
import type { SessionPolicy } from '../../../sip/dialog/session-terms.ts'
import type { ServerTransaction } from '../../../sip/inbound-request.ts'
import type { OnFinal, OnProvisional } from '../../../sip/outbound-request.ts'
import { OwnAddresses } from '../../../sip/own-addresses.ts'
import { TimerWheel } from '../../../sip/timer-wheel.ts'
import type { EdgeStack, EdgeUser } from '../edge-stack.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { mostBodyBytes, type Objection, objectionToRaw, readCarried } from './carried.ts'
import { Daemon, type DaemonLog, type DaemonOptions } from './daemon.ts'
import { readFlowName } from './daemon-flow.ts'
import { DaemonSending, type SendingNeeds } from './daemon-sending.ts'
import { DaemonTransaction, type TransactionNeeds } from './daemon-transaction.ts'
import type { SrfMessage, SrfRequest, SrfResponse } from './srf.ts'

export interface DrachtioOptions {
  readonly daemon: DaemonOptions
  /** Milliseconds that the first connection may take. */
  readonly connectWithin: number
  /**
   * Milliseconds after which no answer is a local 408. The daemon answers for who does not (timer B and F, 32 s); whoever
   * hears nothing after that never will.
   */
  readonly patience: number
  readonly advertise?: string | undefined
  readonly session?: Partial<SessionPolicy> | undefined
  readonly routeFor: (host: string) => string | undefined
  readonly trusted: (address: string) => boolean
  readonly now: () => number
  readonly log: DaemonLog
}

/**
 * Transactions of drachtio-server, with the dialogs of `src/sip` over them. The daemon keeps dialogs of its own for the
 * same Call-ID and tags; it writes what identifies them, here is what they mean.
 */
export class DrachtioStack implements EdgeStack {
  readonly #options: DrachtioOptions
  readonly #user: EdgeUser
  readonly #wheel: TimerWheel
  readonly #own: OwnAddresses
  readonly #daemon: Daemon
  readonly #dialogs: DialogLayer
  readonly #acknowledgements: Acknowledgements
  readonly #underWay = new Set<DaemonSending>()
  /** INVITEs without final response, by what a PRACK has in common with them. */
  readonly #invites = new Map<string, DaemonTransaction>()
  readonly #sendingNeeds: SendingNeeds
  readonly #transactionNeeds: TransactionNeeds
  #onIdle: () => void = () => {}

  constructor(options: DrachtioOptions, user: EdgeUser) {
    this.#options = options
    this.#user = user
    this.#wheel = new TimerWheel(options.now)
    this.#own = new OwnAddresses(options.advertise, `${randomBytes(8).toString('hex')}.invalid`)
    this.#acknowledgements = new Acknowledgements(this.#wheel)
    this.#daemon = new Daemon({
      ...options.daemon,
      log: options.log,
      onRequest: (req, res) => this.#receive(req, res),
      onLost: () => this.#lost(),
      onBack: () => this.#back(),
    })
    this.#dialogs = new DialogLayer({
      wheel: this.#wheel,
      session: options.session,
      failed: user.failed,
      send: (request, target, onFinal, onProvisional) => this.send(request, target, onFinal, onProvisional),
      sendAck: (ack) => this.#acknowledgements.send(ack),
      transportOf: (flow) => readFlowName(flow)?.transport,
      ownUri: (transport) => this.ownUri(transport),
    })
    this.#sendingNeeds = this.#newSendingNeeds()
    this.#transactionNeeds = this.#newTransactionNeeds()
  }

  async start(): Promise<readonly ListeningAddress[]> {
    await this.#daemon.connect(this.#options.connectWithin)
    this.#own.listensOn(this.#daemon.addresses)
    return distinct(this.#daemon.addresses)
  }

  send(request: SipRequest, target: Target, onFinal: OnFinal, onProvisional?: OnProvisional): DaemonSending {
    const sending = new DaemonSending(this.#sendingNeeds, request, target, onFinal, onProvisional)
    this.#underWay.add(sending)
    sending.start()
    return sending
  }

  invited(transaction: ServerTransaction): InboundInvite {
    return new InboundInvite(this.#dialogs, transaction)
  }

  invite(request: SipRequest, target: Target, events: CallEvents): OutboundInvite {
    const call = new OutboundInvite(this.#dialogs, request, target, events)
    call.start()
    return call
  }

  dialog(callId: string, localTag: string, remoteTag: string): InviteDialog | undefined {
    return this.#dialogs.find(callId, localTag, remoteTag)
  }

  isOwnAddress(host: string, port: number | undefined): boolean {
    return this.#own.includes(host, port)
  }

  ownUri(transport: Transport): string {
    return this.#own.uri(transport)
  }

  get outage(): string | undefined {
    return this.#daemon.isConnected ? undefined : 'no connection to drachtio-server'
  }

  /** Certificates are the daemon's. */
  renewTls(): void {}

  async close(signal: AbortSignal): Promise<void> {
    if (!signal.aborted && this.#underWay.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    this.#dialogs.close()
    this.#daemon.close()
    for (const sending of this.#underWay) sending.abandon()
    this.#wheel.close()
  }

  #newSendingNeeds(): SendingNeeds {
    return {
      wheel: this.#wheel,
      daemon: this.#daemon,
      patience: this.#options.patience,
      routeFor: this.#options.routeFor,
      dialogIdOf: (request) => this.#dialogIdOf(request),
      onAccepted: (response, ack) => this.#acknowledgements.add(response, ack),
      onUpdate: (req, res) => this.#receive(req, res),
      onDone: (sending) => this.#done(sending),
    }
  }

  #receive(req: SrfRequest, res: SrfResponse): void {
    try {
      if (req.source === 'application') this.#endedByDaemon(readCarried(req.msg.raw))
      else this.#take(req, res)
    } catch (err) {
      if (!(err instanceof MalformedSip)) throw err
      if (req.method !== 'ACK') res.send(err.status, reasonOf(err.status), {}, () => {})
    }
  }

  #take(req: SrfRequest, res: SrfResponse): void {
    const objection = req.method === 'ACK' ? undefined : objectionToRaw(req.msg.raw)
    if (objection !== undefined) {
      refuse(res, objection)
      return
    }
    const request = readCarried(req.msg.raw)
    if (!(request instanceof SipRequest)) return
    if (request.method === 'ACK') this.#dialogs.receiveAck(request, checkRequest(request))
    else this.#handle(new DaemonTransaction(this.#transactionNeeds, request, req, res), req)
  }

  #handle(transaction: DaemonTransaction, req: SrfRequest): void {
    if (transaction.request.method === 'INVITE') this.#watch(transaction, req)
    if (transaction.request.method === 'PRACK') this.#invites.get(inviteKey(transaction))?.renumber(transaction.request)
    if (!this.#dialogs.receive(transaction)) this.#user.onRequest(transaction)
  }

  /** drachtio-srf gives to an INVITE what belongs to it. */
  #watch(transaction: DaemonTransaction, req: SrfRequest): void {
    this.#invites.set(inviteKey(transaction), transaction)
    req.on('update', (update: SrfRequest, res: SrfResponse) => this.#receive(update, res))
    req.on('cancel', ({ raw }: SrfMessage) => {
      const cancel = readCarried(raw)
      if (cancel instanceof SipRequest) transaction.cancelled(cancel)
    })
  }

  #newTransactionNeeds(): TransactionNeeds {
    return {
      trusted: this.#options.trusted,
      onAnswered: (transaction) => {
        const key = inviteKey(transaction)
        if (this.#invites.get(key) === transaction) this.#invites.delete(key)
      },
      onRefused: (why, status) => this.#options.log.info({ why, status }, 'drachtio-server did not send a response'),
    }
  }

  /** `<Call-ID>;from-tag=<tag of who sent the INVITE>` is what the daemon calls a dialog, in either role. */
  #dialogIdOf({ headers }: SipRequest): string | undefined {
    if (this.#dialogs.size === 0) return undefined
    const remote = tagIn(headers.get('to'))
    if (remote === undefined) return undefined
    const callId = headers.get('call-id') ?? ''
    const local = tagIn(headers.get('from')) ?? ''
    const dialog = this.#dialogs.find(callId, local, remote)
    return dialog && `${callId};from-tag=${dialog.initiator ? local : remote}`
  }

  /** The BYE that the daemon has sent, as it went out, so that From is this end. */
  #endedByDaemon({ headers }: SipMessage): void {
    const callId = headers.get('call-id') ?? ''
    const [from = '', to = ''] = [tagIn(headers.get('from')), tagIn(headers.get('to'))]
    const dialog = this.#dialogs.find(callId, from, to) ?? this.#dialogs.find(callId, to, from)
    dialog?.end({ by: 'lost' }, false)
  }

  #lost(): void {
    for (const sending of this.#underWay) sending.lost()
    for (const invite of this.#invites.values()) invite.cancelled()
  }

  /** The daemon gives what comes in the old dialogs to nobody. */
  #back(): void {
    this.#own.listensOn(this.#daemon.addresses)
    this.#dialogs.lose()
  }

  #done(sending: DaemonSending): void {
    this.#underWay.delete(sending)
    if (this.#underWay.size === 0) this.#onIdle()
  }
}

const tagIn = (value: string | undefined) =>
  value?.includes('tag') === true ? readNameAddr(value).params.get('tag') : undefined

const inviteKey = ({ checked }: DaemonTransaction) => `${checked.callId} ${checked.from.params.get('tag')}`

/** Says what it is that cannot pass. */
function refuse(res: SrfResponse, status: Objection): void {
  const why = status === 415 ? 'only text in UTF-8 passes here' : `no more than ${mostBodyBytes} bytes pass here`
  res.send(status, reasonOf(status), { headers: { Warning: `399 drachtio "${why}"` } }, () => {})
}

/** Outside and inside may be the same. */
function distinct(addresses: readonly ListeningAddress[]): readonly ListeningAddress[] {
  const known = new Map(addresses.map((one) => [`${one.transport} ${one.address} ${one.port}`, one]))
  return [...known.values()]
}
