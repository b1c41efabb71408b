import { randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { Failure } from '../../failure.ts'

/** Two bound sockets: RTP on an even port, RTCP on the odd one after it (RFC 3550 §11). */
export interface PortPair {
  readonly port: number
  readonly rtp: Socket
  readonly rtcp: Socket
}

export interface PortRange {
  readonly address: string
  readonly first: number
  readonly last: number
}

/** The seconds after which a call that found no port may be tried again. */
const retryAfter = 5
/** Ports that another program has are passed over, but not for ever in one request. */
const maxTries = 64

/** The ports of media. A pair that was given back waits behind all others: late packets of a call then meet nobody. */
export class PortPairs {
  readonly #address: string
  readonly #free: number[] = []
  readonly limit: number
  #inUse = 0
  #peak = 0

  constructor({ address, first, last }: PortRange) {
    this.#address = address
    for (let port = first + (first % 2); port < last; port += 2) this.#free.push(port)
    this.limit = this.#free.length
    shuffle(this.#free)
  }

  get inUse(): number {
    return this.#inUse
  }

  /** The most that were in use. */
  get peak(): number {
    return this.#peak
  }

  /** Binds a pair. Throws Failure('overloaded') when none is free. */
  async take(): Promise<PortPair> {
    for (let tries = Math.min(this.#free.length, maxTries); tries > 0; tries--) {
      const port = this.#free.shift()
      if (port === undefined) break
      const pair = await this.#bind(port)
      if (pair === undefined) continue
      this.#peak = Math.max(this.#peak, this.#inUse)
      return pair
    }
    throw new Failure('overloaded', 'no RTP port is free', { retryAfter })
  }

  /** Closes the sockets; the ports are free for another session after that. */
  async release(pair: PortPair): Promise<void> {
    await Promise.all([closed(pair.rtp), closed(pair.rtcp)])
    this.#giveBack(pair.port)
  }

  #giveBack(port: number): void {
    this.#inUse--
    this.#free.push(port)
  }

  async #bind(port: number): Promise<PortPair | undefined> {
    this.#inUse++
    const [rtp, rtcp] = await Promise.all([bound(this.#address, port), bound(this.#address, port + 1)])
    if (rtp && rtcp) return { port, rtp, rtcp }
    await Promise.all([rtp && closed(rtp), rtcp && closed(rtcp)])
    this.#giveBack(port)
    return undefined
  }
}

/** A socket on that port; undefined when it cannot be had. */
async function bound(address: string, port: number): Promise<Socket | undefined> {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', lookup: noLookup })
  try {
    const listening = once(socket, 'listening') // told before bind returns: nothing is looked up
    socket.bind({ address, port, exclusive: true })
    await listening
    return socket
  } catch {
    socket.close()
    return undefined
  }
}

/** Targets are addresses: no packet waits for a resolver. */
function noLookup(
  host: string,
  _options: unknown,
  callback: (err: null, address: string, family: number) => void,
): void {
  callback(null, host, isIPv6(host) ? 6 : 4)
}

const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.close(() => resolve()))

/** So that the next port cannot be told from the last one. */
function shuffle(ports: number[]): void {
  for (let at = ports.length - 1; at > 0; at--) {
    const other = randomInt(at + 1)
    const port = ports[at] as number
    ports[at] = ports[other] as number
    ports[other] = port
  }
}
