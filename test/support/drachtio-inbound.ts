import { randomUUID } from 'node:crypto'
import type { Checked } from '../../src/protocols/sip/check-request.ts'
import { type SipRequest, type SipResponse, writeMessage } from '../../src/protocols/sip/message.ts'
import { readNameAddr } from '../../src/protocols/sip/name-addr.ts'
import { responseTo } from '../../src/protocols/sip/respond.ts'
import { DialogState } from '../../src/sip/dialog/dialog-state.ts'
import type { ServerTransaction } from '../../src/sip/inbound-request.ts'
import {
  type Answer,
  type App,
  contactKey,
  type Dialog,
  type DialogTable,
  newTag,
  ownInResponse,
  Refusal,
  writeSip,
} from './drachtio-dialogs.ts'
import { type AppMessage, frame, frameTime, headerIn } from './drachtio-frames.ts'
import type { DaemonSip } from './drachtio-sip.ts'

/** A request from the network that the app has not answered. */
interface Incoming {
  readonly id: string
  readonly app: App
  readonly transaction: ServerTransaction
  dialog: Dialog | undefined
  lastRSeq: number
  stopRepeating: () => void
}

interface Needs {
  readonly sip: DaemonSip
  readonly apps: ReadonlySet<App>
}

/** What comes from the network for the apps, and what they answer. */
export class DrachtioInbound {
  readonly #needs: Needs
  readonly #table: DialogTable
  readonly #incoming = new Map<string, Incoming>()
  /** UPDATEs that came during an INVITE, under its id. */
  readonly #updates = new Map<string, ServerTransaction>()
  /** How often each method was given to an app. */
  readonly #turns = new Map<string, number>()

  constructor(needs: Needs, table: DialogTable) {
    this.#needs = needs
    this.#table = table
  }

  clear(): void {
    for (const { stopRepeating } of this.#incoming.values()) stopRepeating()
    this.#incoming.clear()
  }

  onRequest(transaction: ServerTransaction): void {
    const { request, checked } = transaction
    if (checked.to.params.has('tag')) this.#onRequestWithin(transaction)
    else if (request.method === 'REFER')
      return // it never arrives
    else {
      const app = this.#appFor(request.method)
      if (app === undefined) transaction.respond(responseTo(request, 503))
      else this.#give(app, transaction, undefined)
    }
  }

  /** Round robin over those that routed the method. */
  #appFor(method: string): App | undefined {
    const verb = method.toLowerCase()
    const apps = [...this.#needs.apps].filter(({ routes }) => routes.has(verb))
    const turn = this.#turns.get(verb) ?? 0
    this.#turns.set(verb, turn + 1)
    return apps[turn % apps.length]
  }

  #give(app: App, transaction: ServerTransaction, dialog: Dialog | undefined): void {
    const { request, source } = transaction
    const id = randomUUID()
    const incoming: Incoming = { id, app, transaction, dialog, lastRSeq: 0, stopRepeating: () => {} }
    this.#incoming.set(id, incoming)
    transaction.onCancelled((cancel) => this.#onCancelled(incoming, cancel))
    const { address, port } = this.#needs.sip.localEnd(source.flow)
    const tail = dialog === undefined ? `|${address}|${port}|` : '|'
    writeSip(app, request, source, `${id}|${dialog?.id ?? ''}${tail}`)
  }

  #onRequestWithin(transaction: ServerTransaction): void {
    const { request, checked } = transaction
    const dialog = this.#table.of(checked)
    if (dialog === undefined || !this.#needs.apps.has(dialog.app)) {
      transaction.respond(responseTo(request, 481))
      return
    }
    const invite = [...this.#incoming.values()].find((one) => one.dialog === dialog && methodOf(one) === 'INVITE')
    if (request.method === 'UPDATE' && invite !== undefined) {
      this.#updates.set(invite.id, transaction)
      writeSip(dialog.app, request, transaction.source, `${invite.id}|${dialog.id}|`)
      return
    }
    if (request.method === 'PRACK') invite?.stopRepeating()
    if (request.method === 'INVITE') dialog.inviteId = randomUUID()
    if (request.method === 'INVITE' || request.method === 'UPDATE') {
      dialog.state.moveTo(transaction)
      dialog.state.refresh(request)
    }
    if (!dialog.state.accepts(checked.cseq.number)) transaction.respond(responseTo(request, 500))
    else this.#give(dialog.app, transaction, dialog)
  }

  onAck(ack: SipRequest, checked: Checked): boolean {
    const dialog = this.#table.of(checked)
    if (dialog === undefined) return false
    dialog.stopRepeating()
    const source = { transport: '', address: '127.0.0.1', port: 0 }
    writeSip(dialog.app, ack, source, `${dialog.inviteId}|${dialog.id}|`)
    return true
  }

  /** 200 and 487 have gone already; this is for the app to know. */
  #onCancelled(incoming: Incoming, cancel: SipRequest): void {
    this.#incoming.delete(incoming.id)
    incoming.stopRepeating()
    if (incoming.dialog !== undefined && !isReinvite(incoming)) this.#table.dialogs.delete(incoming.dialog.id)
    writeSip(incoming.app, cancel, incoming.transaction.source, `${incoming.id}|${incoming.dialog?.id ?? ''}|`)
  }

  respond(txnId: string, message: AppMessage, answer: Answer): void {
    if (txnId === '') throw new Refusal('transaction id missing')
    const status = Number(message.start.split(' ')[1])
    const update = this.#updates.get(txnId)
    if (update !== undefined && / UPDATE$/.test(headerIn(message, 'cseq') ?? '')) {
      this.#updates.delete(txnId)
      this.#answer(update, status, message, undefined)
      answer(
        `OK|application|0||||${frameTime()}|${txnId}|||Msg sent:|`,
        writeMessage(responseTo(update.request, status)),
      )
      return
    }
    const incoming = this.#incoming.get(txnId)
    if (incoming === undefined) throw new Refusal('Response not sent due to unknown transaction')
    const sent = this.#answerIncoming(incoming, status, message)
    const { address, port, transport } = incoming.transaction.source
    const protocol = methodOf(incoming) === 'INVITE' ? transport : ''
    const bytes = writeMessage(sent)
    const dialogId = methodOf(incoming) === 'BYE' ? '' : (incoming.dialog?.id ?? '')
    answer(
      `OK|application|${bytes.length}|${protocol}|${address}|${port}|${frameTime()}|${txnId}|${dialogId}||Msg sent:|`,
      bytes,
    )
  }

  #answerIncoming(incoming: Incoming, status: number, message: AppMessage): SipResponse {
    const { transaction } = incoming
    const method = methodOf(incoming)
    const opens = method === 'INVITE' || method === 'SUBSCRIBE'
    if (opens && incoming.dialog === undefined && status > 100) incoming.dialog = this.#dialogFor(incoming, message)
    const reliable = status < 200 && /100rel/.test(headerIn(message, 'require') ?? '')
    if (reliable && !/100rel/i.test(allOf(transaction.request, 'supported', 'require'))) {
      throw new Refusal('Remote endpoint does not support 100rel')
    }
    incoming.stopRepeating()
    if (reliable) incoming.lastRSeq = (incoming.lastRSeq || Math.floor(Math.random() * 2 ** 20)) + 1
    const sent = this.#answer(transaction, status, message, reliable ? incoming.lastRSeq : undefined)
    const again = () => transaction.respond(sent)
    if (reliable) incoming.stopRepeating = repeat(again)
    if (status >= 200) this.#answered(incoming, status, again)
    return sent
  }

  #answered(incoming: Incoming, status: number, again: () => void): void {
    const { id, dialog, transaction } = incoming
    const method = methodOf(incoming)
    this.#incoming.delete(id)
    if (method === 'REGISTER' && status === 200) this.#remember(transaction)
    if (dialog === undefined) return
    const isOver = method === 'BYE' || (status >= 300 && !isReinvite(incoming))
    if (isOver) this.#table.forget(dialog)
    else if (method === 'INVITE' && status < 300) {
      if (!isReinvite(incoming)) dialog.inviteId = id
      dialog.stopRepeating = repeat(again, () => this.#endUnacknowledged(dialog))
    }
  }

  /** No ACK came: the daemon says BYE itself, and tells the app of it. */
  #endUnacknowledged(dialog: Dialog): void {
    this.#table.forget(dialog)
    const bye = dialog.state.request('BYE')
    this.#needs.sip.send(
      bye,
      dialog.state.target,
      () => {},
      () => {},
    )
    const bytes = writeMessage(bye)
    const meta = `sip|application|${bytes.length}|udp|127.0.0.1|0|${frameTime()}|unsolicited|${dialog.id}|`
    dialog.app.socket.write(frame(meta, bytes))
  }

  #dialogFor({ app, transaction, id }: Incoming, message: AppMessage): Dialog {
    const { callId, from } = transaction.checked
    const tag = /tag=(.*)/.exec(headerIn(message, 'to') ?? '')?.[1] ?? newTag()
    transaction.tagWith(tag)
    const dialog: Dialog = {
      id: `${callId};from-tag=${from.params.get('tag')}`,
      app,
      state: DialogState.ofServer(transaction, tag),
      inviteId: id,
      inviteCSeq: 0,
      isAcceptable: false,
      ack: undefined,
      rseq: '',
      stopRepeating: () => {},
    }
    this.#table.dialogs.set(dialog.id, dialog)
    return dialog
  }

  #answer(transaction: ServerTransaction, status: number, message: AppMessage, rseq: number | undefined): SipResponse {
    const { request } = transaction
    const opens = (request.method === 'INVITE' || request.method === 'SUBSCRIBE') && status > 100 && status < 300
    const headers = message.headers.filter(([name]) => !ownInResponse.has(name.toLowerCase()))
    if (opens && headerIn(message, 'contact') === undefined) {
      headers.push(['Contact', `<${this.#needs.sip.ownUri(transaction.source.transport)}>`])
    }
    const routes = opens ? request.headers.all('record-route').map((route) => ['Record-Route', route] as const) : []
    if (rseq !== undefined) headers.push(['RSeq', String(rseq)])
    const tag = /tag=(.*)/.exec(headerIn(message, 'to') ?? '')?.[1]
    const response = responseTo(request, status, {
      reason: message.start.split(' ').slice(2).join(' '),
      headers: [...routes, ...headers],
      body: message.body,
      ...(tag !== undefined && { toTag: tag }),
    })
    transaction.respond(response)
    return response
  }

  #remember({ request, source }: ServerTransaction): void {
    const contact = request.headers.get('contact')
    if (contact === undefined || contact === '*' || source.transport === 'udp') return
    this.#table.contacts.set(contactKey(readNameAddr(contact).uri), source.flow)
  }
}

const methodOf = ({ transaction }: Incoming) => transaction.request.method
const isReinvite = ({ transaction }: Incoming) => transaction.checked.to.params.has('tag')
const allOf = ({ headers }: SipRequest, ...names: string[]) => names.flatMap((name) => headers.all(name)).join()

/** Again after 500 ms, then twice as long each time up to 4 s; after 32 s it is given up. */
function repeat(again: () => void, giveUp: () => void = () => {}): () => void {
  let wait = 500
  const next = () => {
    again()
    wait = Math.min(wait * 2, 4000)
    timer = setTimeout(next, wait)
  }
  let timer = setTimeout(next, wait)
  const end = setTimeout(() => {
    clearTimeout(timer)
    giveUp()
  }, 32_000)
  return () => {
    clearTimeout(timer)
    clearTimeout(end)
  }
}
