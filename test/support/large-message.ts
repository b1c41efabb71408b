import { randomBytes, randomUUID } from 'node:crypto'
import { chatSdp, sdpAttribute } from './chat-sdp.ts'
import { writeCpim } from './cpim-text.ts'
import { MsrpClient, type ReceivedFrame } from './msrp-client.ts'
import type { HeaderFields, Phone } from './phone.ts'
import { awaitCalls, PlacedCall, ReceivedCall } from './phone-call.ts'
import type { SipText } from './sip-text.ts'
import type { TestServer } from './start-server.ts'

export const icsiOf = (service: string): string => `urn:urn-7:3gpp-service.ims.icsi.oma.cpm.${service}`
/** A feature tag with these services, as it stands in Contact and Accept-Contact. */
export const servicesTag = (...services: readonly string[]): string =>
  `+g.3gpp.icsi-ref="${services.map((service) => icsiOf(service).replaceAll(':', '%3A')).join(',')}"`

/** What devices of CPM register. */
export const largeTag = servicesTag('msg', 'largemsg', 'deferred')

/** A message/cpim body of that many bytes, of which no two are alike. */
export function largeCpim(from: string, to: string, bytes: number, id: string = randomUUID(), want?: string): Buffer {
  const head = Buffer.from(writeCpim(from, to, id, '', want))
  const text = randomBytes(Math.ceil(bytes / 2)).toString('hex')
  return Buffer.concat([head, Buffer.from(text.slice(0, bytes - head.length))])
}

export interface LargeOptions {
  readonly headers?: HeaderFields
  readonly contentType?: string
  /** Lines of the m= line in the session description besides the usual. */
  readonly sdp?: string
  readonly chunk?: number
}

/** A session for one message that a phone has opened. */
export class LargeSession {
  readonly call: Awaited<ReturnType<PlacedCall['answered']>>
  readonly msrp: MsrpClient
  readonly #to: string

  private constructor(call: Awaited<ReturnType<PlacedCall['answered']>>, msrp: MsrpClient) {
    this.call = call
    this.msrp = msrp
    this.#to = sdpAttribute(call.response.text, 'path') ?? ''
  }

  /** The INVITE as a CPM client sends it. Rejects when it is refused. */
  static async open(server: TestServer, phone: Phone, to: string, options: LargeOptions = {}): Promise<LargeSession> {
    const msrp = await MsrpClient.connect({ port: server.msrpPort })
    const placed = placeLarge(phone, to, msrp.path, options)
    return new LargeSession(await placed.answered(), msrp)
  }

  /** Sends all of it; resolves with what the last chunk was answered, or the first that was refused. */
  async send(body: Buffer, { contentType = 'message/cpim', chunk = 65_536 }: LargeOptions = {}): Promise<string> {
    const messageId = randomBytes(8).toString('hex')
    let open = 0
    for (let at = 0; at < body.length; at += chunk, open++) {
      this.chunk(messageId, body, at, Math.min(at + chunk, body.length), contentType)
    }
    for (; open > 0; open--) {
      const { what } = await this.msrp.receive()
      if (what !== '200 OK' || open === 1) return what
    }
    return ''
  }

  chunk(messageId: string, body: Buffer, from: number, to: number, contentType = 'message/cpim'): void {
    const id = randomBytes(6).toString('hex')
    const head =
      `MSRP ${id} SEND\r\nTo-Path: ${this.#to}\r\nFrom-Path: ${this.msrp.path}\r\nMessage-ID: ${messageId}\r\n` +
      `Byte-Range: ${from + 1}-${to}/${body.length}\r\nContent-Type: ${contentType}\r\n\r\n`
    const end = `\r\n-------${id}${to === body.length ? '$' : '+'}\r\n`
    this.msrp.write(Buffer.concat([Buffer.from(head), body.subarray(from, to), Buffer.from(end)]))
  }

  /** BYE, as the sender says it after its message. */
  async bye(): Promise<void> {
    await this.call.dialog.bye()
    await this.msrp.close()
  }
}

/** The INVITE of a large message. */
export function placeLarge(phone: Phone, to: string, path: string, { headers, sdp }: LargeOptions = {}): PlacedCall {
  awaitCalls(phone)
  return new PlacedCall(phone, to, {
    headers: {
      'P-Preferred-Service': icsiOf('largemsg'),
      'Accept-Contact': `*;${servicesTag('largemsg')};require;explicit`,
      'Conversation-ID': randomUUID(),
      'Contribution-ID': randomUUID(),
      ...headers,
    },
    sdp: chatSdp({ path }) + (sdp ?? ''),
  })
}

/** Sends a large message as a CPM client does; resolves with what its last byte was answered. */
export async function sendLarge(
  server: TestServer,
  phone: Phone,
  to: string,
  body: Buffer,
  options: LargeOptions = {},
): Promise<string> {
  const session = await LargeSession.open(server, phone, to, options)
  const status = await session.send(body, options)
  await session.bye()
  return status
}

export interface ReceivedLarge {
  readonly invite: SipText
  readonly contentType: string
  readonly body: Buffer
}

/** Answers the next INVITE, and connects. */
export async function answerLarge(server: TestServer, phone: Phone, transport: 'tcp' | 'ws' = 'tcp') {
  const received = await ReceivedCall.next(phone)
  const port = server.app.addresses.find((one) => one.name === 'msrp' && one.transport === transport)?.port ?? 0
  const msrp = await MsrpClient.connect({ port, transport })
  const offered = chatSdp({ path: msrp.path })
  const { dialog } = await received.answer(transport === 'ws' ? offered.replace('TCP/MSRP', 'TCP/WS/MSRP') : offered)
  msrp.send({ to: sdpAttribute(received.invite.text, 'path') ?? '' })
  return { invite: received.invite, dialog, msrp }
}

/** Takes the next session with one message in it; resolves when the server, or its sender, has said BYE. */
export async function receiveLarge(
  server: TestServer,
  phone: Phone,
  transport: 'tcp' | 'ws' = 'tcp',
): Promise<ReceivedLarge> {
  const { invite, dialog, msrp } = await answerLarge(server, phone, transport)
  const message = await takeMessage(msrp)
  await dialog.receive('BYE')
  await msrp.close()
  return { invite, ...message }
}

/** The next message, out of all its chunks, each of which is answered. */
export async function takeMessage(msrp: MsrpClient): Promise<Pick<ReceivedLarge, 'contentType' | 'body'>> {
  const pieces = new Map<number, Buffer>()
  for (;;) {
    const frame = await msrp.receive()
    if (frame.what !== 'SEND' || frame.body === undefined) continue
    pieces.set(startOf(frame), frame.body)
    msrp.respond(frame)
    if (frame.flag !== '$') continue
    const body = Buffer.concat([...pieces].sort(([a], [b]) => a - b).map(([, piece]) => piece))
    return { contentType: frame.fields['content-type'] ?? '', body }
  }
}

const startOf = ({ fields }: ReceivedFrame): number => Number.parseInt(fields['byte-range'] ?? '1', 10)
