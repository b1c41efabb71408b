import { randomUUID } from 'node:crypto'
import { Headers } from '../../src/protocols/sip/headers.ts'
import { SipRequest, type SipResponse, writeMessage } from '../../src/protocols/sip/message.ts'
import { readNameAddr } from '../../src/protocols/sip/name-addr.ts'
import { readUri } from '../../src/protocols/sip/uri.ts'
import type { Target } from '../../src/sip/addresses.ts'
import { DialogState } from '../../src/sip/dialog/dialog-state.ts'
import type { ClientTransaction } from '../../src/sip/outbound-request.ts'
import {
  type Answer,
  type App,
  addContentType,
  contactKey,
  type Dialog,
  type DialogTable,
  newTag,
  ownInRequest,
  ownWithinDialog,
  Refusal,
  writeSip,
} from './drachtio-dialogs.ts'
import { type AppMessage, frameTime, headerIn } from './drachtio-frames.ts'
import type { DaemonSip } from './drachtio-sip.ts'

interface Outgoing {
  readonly id: string
  readonly app: App
  readonly request: SipRequest
  transaction: ClientTransaction | undefined
}

interface Needs {
  readonly sip: DaemonSip
  port(): number | undefined
}

/** What the apps send to the network, and what is answered there. */
export class DrachtioOutbound {
  readonly #needs: Needs
  readonly #table: DialogTable
  readonly #outgoing = new Map<string, Outgoing>()

  constructor(needs: Needs, table: DialogTable) {
    this.#needs = needs
    this.#table = table
  }

  clear(): void {
    this.#outgoing.clear()
  }

  sendNew(app: App, message: AppMessage, route: string, answer: Answer): void {
    const known = [...this.#table.dialogs.values()].find(({ state }) => state.callId === headerIn(message, 'call-id'))
    if (known !== undefined) {
      this.sendWithin(app, known.id, message, answer)
      return
    }
    const request = this.#newRequest(message)
    this.#checkTarget(route === '' ? request.uri : route, message.start)
    this.#transact(app, request, this.#targetFor(request, route), undefined, answer)
  }

  #checkTarget(uri: string, start: string): void {
    const { scheme, host, port } = readUri(uri)
    if (scheme !== 'sip' && scheme !== 'sips') throw new Refusal(`invalid request-uri: ${start}`)
    if (this.#needs.sip.isOwn(host, port)) throw new Refusal('can not send request to myself')
  }

  #targetFor(request: SipRequest, route: string): Target {
    const flow = route === '' ? this.#table.contacts.get(contactKey(request.uri)) : this.#flowTo(route)
    return { ...(flow !== undefined && { flow }), ...(route !== '' && { uri: route, nextHop: route }) }
  }

  #flowTo(uri: string): string | undefined {
    const { host, port = 5060, params } = readUri(uri)
    return this.#needs.sip.flowTo(params.get('transport') ?? 'udp', host.replace(/^\[|\]$/g, ''), port)
  }

  #newRequest(message: AppMessage): SipRequest {
    const [method = '', uri = ''] = message.start.split(' ')
    const own = this.#needs.sip.ownUri('udp')
    const host = own.replace(/^sip:/, '')
    const headers = new Headers()
    const local = (value: string) => value.replace(/([:@])localhost\b/, `$1${host}`)
    const given = (name: string, other: string) => headerIn(message, name) ?? other
    const from = local(given('from', `<${own}>`))
    headers.add('Max-Forwards', given('max-forwards', '70'))
    headers.add('From', /;tag=/.test(from) ? from : `${from};tag=${newTag()}`)
    headers.add('To', local(given('to', `<${uri}>`)))
    headers.add('Call-ID', given('call-id', randomUUID()))
    headers.add('CSeq', given('cseq', `${1 + Math.floor(Math.random() * 2 ** 27)} ${method}`))
    if ((method === 'INVITE' || method === 'SUBSCRIBE') && headerIn(message, 'contact') === undefined)
      headers.add('Contact', `<${own}>`)
    for (const [name, value] of message.headers) if (!ownInRequest.has(name.toLowerCase())) headers.add(name, value)
    addContentType(headers, message)
    return new SipRequest(method, uri, headers, message.body)
  }

  sendWithin(app: App, dialogId: string, message: AppMessage, answer: Answer): void {
    const dialog = this.#table.dialogs.get(dialogId)
    const [method = ''] = message.start.split(' ')
    if (dialog === undefined) throw new Refusal('Server error: unable to find dialog for dialog id provided')
    if (method === 'ACK') this.#acknowledge(dialog, message, answer)
    else {
      const headers = message.headers.filter(([name]) => !ownWithinDialog.has(name.toLowerCase()))
      if (method === 'PRACK') headers.push(['RAck', `${dialog.rseq} ${dialog.inviteCSeq} INVITE`])
      const request = dialog.state.request(method, { headers, body: message.body })
      if (['INVITE', 'SUBSCRIBE', 'REFER'].includes(method) && !request.headers.has('contact'))
        request.headers.add('Contact', `<${this.#needs.sip.ownUri('udp')}>`)
      addContentType(request.headers, message)
      this.#transact(app, request, dialog.state.target, dialog, answer)
    }
  }

  #acknowledge(dialog: Dialog, message: AppMessage, answer: Answer): void {
    if (!dialog.isAcceptable)
      throw new Refusal('Server error: ACK for non-success final response is automatically generated by server')
    const headers = message.headers.filter(([name]) => !ownWithinDialog.has(name.toLowerCase()))
    dialog.ack = dialog.state.ack(dialog.inviteCSeq, { headers, body: message.body })
    addContentType(dialog.ack.headers, message)
    this.#needs.sip.sendAck(dialog.ack, dialog.state.target)
    this.#echo(answer, randomUUID(), dialog.ack)
  }

  #transact(app: App, request: SipRequest, target: Target, dialog: Dialog | undefined, answer: Answer): void {
    const outgoing: Outgoing = { id: randomUUID(), app, request, transaction: undefined }
    const opens = request.method === 'INVITE' || request.method === 'SUBSCRIBE'
    const id = dialog?.id ?? (opens ? newDialogId(request) : '')
    let isDeaf = false
    this.#outgoing.set(outgoing.id, outgoing)
    if (dialog !== undefined && request.method === 'INVITE') this.#invites(dialog, request)
    const hear = (response: SipResponse) => {
      if (isDeaf || response.status === 100) return
      // Whatever comes first within a dialog is taken for the end.
      if (dialog !== undefined) isDeaf = true
      this.#heard(outgoing, response, id)
    }
    outgoing.transaction = this.#needs.sip.send(request, target, hear, hear)
    this.#echo(answer, outgoing.id, request)
  }

  #heard(outgoing: Outgoing, response: SipResponse, dialogId: string): void {
    const { app, request, id } = outgoing
    const isFirst = this.#outgoing.has(id)
    const known = this.#table.dialogs.get(dialogId)
    if (!isFirst) {
      // A 2xx again, of whatever branch: the ACK of the first one is all there is.
      if (known?.ack !== undefined) this.#needs.sip.sendAck(known.ack, known.state.target)
      return
    }
    if (response.status >= 200) this.#outgoing.delete(id)
    this.#takeDialog(app, request, response, dialogId)
    if (request.method === 'BYE' && known !== undefined && response.status >= 200) this.#table.forget(known)
    const source = { transport: 'udp', address: '127.0.0.1', port: 0 }
    writeSip(app, response, source, `${id}|${dialogId}|`)
  }

  #takeDialog(app: App, request: SipRequest, response: SipResponse, id: string): void {
    const known = this.#table.dialogs.get(id)
    const number = Number.parseInt(request.headers.get('cseq') ?? '', 10)
    if (request.method !== 'INVITE' && request.method !== 'SUBSCRIBE') return
    if (known !== undefined && response.status < 300) {
      if (known.state.remoteTag === tagOf(response) && response.status >= 200) known.state.refresh(response)
    } else if (response.status < 300 && tagOf(response) !== '') {
      const state = DialogState.ofClient(request, response, number, undefined)
      const made = {
        id,
        app,
        state,
        inviteId: '',
        inviteCSeq: number,
        ack: undefined,
        rseq: '',
        stopRepeating: () => {},
      }
      this.#table.dialogs.set(id, { ...made, isAcceptable: false })
    } else if (known !== undefined && known.inviteCSeq === number && !hasTag(request)) this.#table.forget(known)
    const dialog = this.#table.dialogs.get(id)
    if (dialog === undefined) return
    dialog.rseq = response.headers.get('rseq') ?? dialog.rseq
    dialog.isAcceptable = response.status >= 200 && response.status < 300
    if (!dialog.isAcceptable || hasTag(request)) return
    if (dialog.state.remoteTag === tagOf(response)) dialog.state.confirm(response)
    else dialog.state = DialogState.ofClient(request, response, number, undefined)
  }

  #invites(dialog: Dialog, request: SipRequest): void {
    dialog.inviteCSeq = Number.parseInt(request.headers.get('cseq') ?? '', 10)
    dialog.ack = undefined
  }

  cancel(txnId: string, message: AppMessage, answer: Answer): void {
    const outgoing = this.#outgoing.get(txnId)
    if (!message.start.startsWith('CANCEL ') || outgoing === undefined) {
      throw new Refusal(`unable to cancel unknown transaction id: ${txnId}`)
    }
    const { headers, uri } = outgoing.request
    outgoing.transaction?.cancelInvite(headerIn(message, 'reason'))
    const number = Number.parseInt(headers.get('cseq') ?? '', 10)
    const kept = ['Via', 'From', 'To', 'Call-ID'].map((name) => [name, headers.get(name.toLowerCase()) ?? ''] as const)
    this.#echo(
      answer,
      randomUUID(),
      new SipRequest('CANCEL', uri, new Headers([...kept, ['CSeq', `${number} CANCEL`]])),
    )
  }

  #echo(answer: Answer, id: string, sent: SipRequest): void {
    const bytes = writeMessage(sent)
    answer(`OK|application|${bytes.length}|udp|127.0.0.1|${this.#needs.port()}|${frameTime()}|${id}|Msg sent:|`, bytes)
  }
}

const tagOf = ({ headers }: SipResponse) => readNameAddr(headers.get('to') ?? '').params.get('tag') ?? ''
const hasTag = ({ headers }: SipRequest) => readNameAddr(headers.get('to') ?? '').params.has('tag')

function newDialogId({ headers }: SipRequest): string {
  return `${headers.get('call-id')};from-tag=${readNameAddr(headers.get('from') ?? '').params.get('tag')}`
}
