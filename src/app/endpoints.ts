import { CapabilityController } from '../media/capability/index.ts'
import { ByteBudget, type EndpointNeeds, MessageEndpoint } from '../media/endpoint/index.ts'
import type { SessionKind } from '../media/msrp/index.ts'
import type { Media } from './media.ts'

/** Memory for messages that the server takes in over sessions and has not committed yet. */
const memoryBytes = 128 * 1024 ** 2
/** What a peer may take to connect, and then to say anything. */
const connectWithin = 30_000
const usualIdle = 60_000

const kinds: Readonly<Record<string, SessionKind>> = {
  tls: { secure: true, transport: 'tcp' },
  ws: { secure: false, transport: 'ws' },
  wss: { secure: true, transport: 'ws' },
}

/** The server as a party of message sessions. */
export class Endpoints {
  readonly memory = new ByteBudget(memoryBytes)
  readonly #media: Media
  readonly #capability = new CapabilityController()

  constructor(media: Media) {
    this.#media = media
  }

  open(maxMessageBytes: number, idleAfter = usualIdle): MessageEndpoint {
    return new MessageEndpoint(this.#needs(maxMessageBytes, idleAfter))
  }

  /** To a device that is reached over that transport of SIP: a browser has no plain TCP. */
  openTowards(transport: string, maxMessageBytes: number): MessageEndpoint {
    const kind = kinds[transport]
    return new MessageEndpoint({ ...this.#needs(maxMessageBytes, usualIdle), ...(kind && { kind }) })
  }

  #needs(maxMessageBytes: number, idleAfter: number): EndpointNeeds {
    const { msrp, host } = this.#media
    const [capability, memory] = [this.#capability, this.memory]
    return { capability, msrp, host, maxMessageBytes, memory, connectWithin, idleAfter }
  }

  /** Whether so many bytes more are to be had now. */
  hasRoomFor(bytes: number): boolean {
    return this.memory.inUse + bytes <= this.memory.limit
  }
}
