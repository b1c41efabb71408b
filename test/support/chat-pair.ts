import { expect } from 'vitest'
import { chatSdp, sdpAttribute } from './chat-sdp.ts'
import { type ClientOptions, MsrpClient } from './msrp-client.ts'
import type { HeaderFields, Phone } from './phone.ts'
import { type PhoneDialog, PlacedCall, ReceivedCall } from './phone-call.ts'
import type { TestServer } from './start-server.ts'

export type MsrpTransport = NonNullable<ClientOptions['transport']>

export interface EndOptions {
  readonly transport?: MsrpTransport
  readonly cert?: Buffer
  readonly key?: Buffer
  /** What its session description says besides. */
  readonly more?: string
}

/** The port that MSRP comes to over this transport. */
export function msrpPort({ app }: TestServer, transport: MsrpTransport = 'tcp'): number {
  const found = app.addresses.find((one) => one.name === 'msrp' && one.transport === transport)
  if (found === undefined) throw new Error(`the server does not listen on ${transport}`)
  return found.port
}

const protocols = { tcp: 'TCP/MSRP', tls: 'TCP/TLS/MSRP', ws: 'TCP/WS/MSRP', wss: 'TCP/WSS/MSRP' } as const

/** One end of a chat: its client connects to the server, and may do so again. */
export class ChatEnd {
  readonly path: string
  client: MsrpClient
  /** The path of the server towards this end. */
  to = ''
  readonly #server: TestServer
  readonly #options: EndOptions

  private constructor(server: TestServer, options: EndOptions, client: MsrpClient) {
    this.#server = server
    this.#options = options
    this.client = client
    this.path = client.path
  }

  static async open(server: TestServer, options: EndOptions = {}): Promise<ChatEnd> {
    return new ChatEnd(server, options, await connect(server, options))
  }

  get sdp(): string {
    const { transport = 'tcp', more = '' } = this.#options
    return chatSdp({ path: this.path, more }).replace('TCP/MSRP', protocols[transport])
  }

  /** Says on its connection which session it is for; resolves with the answer. */
  async bind(): Promise<string> {
    this.client.send({ to: this.to })
    return (await this.client.receive()).what
  }

  /** Another connection in the place of the one that is gone. */
  async reconnect(options = this.#options): Promise<void> {
    this.client = await connect(this.#server, { ...options, path: this.path })
  }
}

const connect = (server: TestServer, options: EndOptions & { readonly path?: string }) =>
  MsrpClient.connect({ ...options, port: msrpPort(server, options.transport) })

export interface ChatPair {
  readonly near: ChatEnd
  readonly far: ChatEnd
  readonly atNear: PhoneDialog
  readonly atFar: PhoneDialog
}

/** A chat of two that has been agreed on; nobody has said yet which session a connection is for. */
export async function agreeOnChat(
  server: TestServer,
  [caller, callee]: readonly [Phone, Phone],
  [nearOptions, farOptions]: readonly [EndOptions?, EndOptions?] = [],
  { ofInvite = {}, ofAnswer = {} }: { readonly ofInvite?: HeaderFields; readonly ofAnswer?: HeaderFields } = {},
): Promise<ChatPair> {
  const [near, far] = [await ChatEnd.open(server, nearOptions), await ChatEnd.open(server, farOptions ?? nearOptions)]
  const placed = new PlacedCall(caller, callee.aor, { sdp: near.sdp, headers: ofInvite })
  const received = await ReceivedCall.next(callee)
  const answering = received.answer(far.sdp, ofAnswer)
  const { response, dialog } = await placed.answered()
  near.to = sdpAttribute(response.text, 'path') ?? ''
  far.to = sdpAttribute(received.invite.text, 'path') ?? ''
  return { near, far, atNear: dialog, atFar: (await answering).dialog }
}

/** One message from one end to the other, and its answer back. */
export async function say(from: ChatEnd, to: ChatEnd, body: string): Promise<void> {
  from.client.send({ to: from.to, body })
  const frame = await to.client.receive()
  expect(String(frame.body)).toBe(body)
  to.client.respond(frame)
  expect((await from.client.receive()).what).toBe('200 OK')
}

/** Both ways, once both ends have said who they are. */
export async function sayBothWays({ near, far }: ChatPair): Promise<void> {
  expect([await near.bind(), await far.bind()]).toEqual(['200 OK', '200 OK'])
  await say(near, far, 'hello')
  await say(far, near, 'hello yourself')
}

export async function hangUp({ near, far, atNear, atFar }: ChatPair): Promise<void> {
  const bye = atFar.receive('BYE')
  expect((await atNear.bye()).status).toBe(200)
  await bye
  await Promise.all([near.client.close(), far.client.close()])
}
