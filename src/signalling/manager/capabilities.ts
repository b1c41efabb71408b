import { Failure } from '../../failure.ts'
import { SipRequest, type SipResponse } from '../../protocols/sip/message.ts'
import type { Sending, SipReply, Target } from '../edge/sip-port.ts'
import { allowed } from './routes.ts'
import type { ServiceRequest } from './signal-manager.ts'

export interface CapabilitiesNeeds {
  readonly subscriberOf: (aor: string) => Known | undefined | Promise<Known | undefined>
  readonly devicesOf: (owner: number) => readonly Device[] | Promise<readonly Device[]>
  readonly send: (request: SipRequest, target: Target) => Sending
  /** INVITEs are answered too. */
  readonly servesSessions?: boolean
}

interface Known {
  readonly id: number
}

interface Device {
  readonly contact: string
  readonly path: readonly string[]
  readonly flow: string
}

/** Header fields that are for this server alone, or that the copies get anew. */
const hop = new Set(['route', 'max-forwards', 'authorization', 'proxy-authorization', 'p-preferred-identity'])
/** Header fields of a response that the transaction writes itself. */
const ofTransaction = new Set(['via', 'from', 'to', 'call-id', 'cseq', 'content-length', 'record-route'])

/** OPTIONS (RFC 3261 §11): the server's own capabilities, or those of a user's devices. */
export class Capabilities {
  readonly #needs: CapabilitiesNeeds
  constructor(needs: CapabilitiesNeeds) {
    this.#needs = needs
  }

  /** What the server itself can do; to a user, the answer of the first device that gives a good one. */
  async handleOptions(request: ServiceRequest): Promise<SipReply> {
    if (request.recipient === '') return ownCapabilities(this.#needs.servesSessions === true)
    const user = await this.#needs.subscriberOf(request.recipient)
    if (user === undefined) throw new Failure('recipient-unknown')
    const devices = await this.#needs.devicesOf(user.id)
    if (devices.length === 0) throw new Failure('absent')
    const answers = devices.map((device) => this.#ask(request.message, device))
    return relayed(await bestOf(answers))
  }

  #ask(message: SipRequest, device: Device): Promise<SipResponse> {
    const headers = message.headers.without(hop)
    headers.add('Max-Forwards', String(Number(message.headers.get('max-forwards') ?? 70) - 1))
    for (const hopOfPath of device.path.toReversed()) headers.prepend('Route', hopOfPath)
    const copy = new SipRequest(message.method, device.contact, headers, message.body)
    return this.#needs.send(copy, { flow: device.flow }).final.then(({ response }) => response)
  }
}

/** The first 2xx, else the lowest status of all (RFC 3261 §16.7 item 6). */
async function bestOf(answers: readonly Promise<SipResponse>[]): Promise<SipResponse> {
  const good = answers.map(async (answer) => {
    const response = await answer
    if (response.status >= 300) throw response
    return response
  })
  try {
    return await Promise.any(good)
  } catch (failures) {
    const responses = (failures as AggregateError).errors as SipResponse[]
    return responses.reduce((best, next) => (next.status < best.status ? next : best))
  }
}

function relayed(response: SipResponse): SipReply {
  const headers: [string, string][] = []
  for (const [name, written, value] of response.headers.entries()) {
    if (!ofTransaction.has(name)) headers.push([written, value])
  }
  return { status: response.status, reason: response.reason, headers, body: response.body }
}

const ownCapabilities = (servesSessions: boolean): SipReply => ({
  status: 200,
  headers: [
    ['Allow', allowed(servesSessions)],
    ['Accept', 'text/plain, message/cpim, message/imdn+xml, multipart/mixed, */*'],
    ['Accept-Encoding', 'identity, deflate, gzip'],
    ['Accept-Language', 'en'],
    ['Supported', `path, outbound, recipient-list-message${servesSessions ? ', 100rel, timer, replaces' : ''}`],
  ],
})
