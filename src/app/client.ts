import { createSocket } from 'node:dgram'
import { isIP } from 'node:net'
import { type Client, type ClientMedia, type ClientOptions, createClient } from '../client/index.ts'
import { CapabilityController } from '../media/capability/index.ts'
import { ByteBudget, MessageEndpoint } from '../media/endpoint/index.ts'
import { MsrpPlane } from '../media/msrp/index.ts'
import { readUri } from '../protocols/sip/uri.ts'

/** Of one message; a client of the command line takes texts. */
const messageBytes = 1024 ** 2
const connectWithin = 30_000
/** The longest that a timer takes: a terminal may stay silent. */
const never = 2 ** 31 - 1

/** A client of the command line, with the media for its chats. */
export function buildClient(options: Omit<ClientOptions, 'media'>): Client {
  return createClient({ ...options, media: new ChatMedia(readUri(options.server).host) })
}

/** MSRP for a client, listened for once there is a chat. */
class ChatMedia implements ClientMedia {
  readonly #server: string
  readonly #memory = new ByteBudget(16 * messageBytes)
  readonly #capability = new CapabilityController()
  #plane: Promise<{ msrp: MsrpPlane; host: string }> | undefined

  constructor(server: string) {
    this.#server = server
  }

  async openMessageEnd(): Promise<MessageEndpoint> {
    this.#plane ??= startPlane(this.#server)
    const { msrp, host } = await this.#plane
    return new MessageEndpoint({
      capability: this.#capability,
      msrp,
      host,
      prefers: 'active', // a client is behind a NAT
      maxMessageBytes: messageBytes,
      memory: this.#memory,
      connectWithin,
      idleAfter: never,
    })
  }

  async close(): Promise<void> {
    const plane = await this.#plane?.catch(() => undefined)
    await plane?.msrp.close()
  }
}

async function startPlane(server: string): Promise<{ msrp: MsrpPlane; host: string }> {
  const host = await ownAddressTowards(server.replace(/^\[|\]$/g, ''))
  const msrp = new MsrpPlane({ listen: [{ transport: 'tcp', address: host, port: 0 }], log: { error() {} } })
  await msrp.start()
  return { msrp, host }
}

/** The address that the kernel would send from; nothing is sent. */
async function ownAddressTowards(host: string): Promise<string> {
  const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.connect(9, host, resolve)
    })
    return socket.address().address
  } finally {
    socket.close()
  }
}
