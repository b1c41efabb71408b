import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { writeRtp } from '../../../src/protocols/rtp/rtp-packet.ts'
import { readSdp } from '../../../src/protocols/sdp/read-sdp.ts'
import type { MediaDescription, SessionDescription } from '../../../src/protocols/sdp/session-description.ts'

interface Arrived {
  readonly packet: Buffer
  readonly from: number
}

/** A socket of a phone on 127.0.0.1, with what came in. */
export class RtpSocket {
  readonly #socket: Socket
  readonly #arrived: Arrived[] = []
  readonly #waiting: ((arrived: Arrived) => void)[] = []

  static async open(): Promise<RtpSocket> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new RtpSocket(socket)
  }

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', (packet: Buffer, from: RemoteInfo) => {
      const arrived = { packet, from: from.port }
      const waiting = this.#waiting.shift()
      if (waiting) waiting(arrived)
      else this.#arrived.push(arrived)
    })
  }

  get port(): number {
    return this.#socket.address().port
  }

  send(packet: Buffer, port: number): void {
    this.#socket.send(packet, port, '127.0.0.1')
  }

  /** The next packet that comes. */
  receive(): Promise<Arrived> {
    const arrived = this.#arrived.shift()
    return arrived ? Promise.resolve(arrived) : new Promise((resolve) => this.#waiting.push(resolve))
  }

  close(): void {
    this.#socket.close()
  }
}

/** A phone: a socket for RTP and one for RTCP. */
export class RtpParty {
  readonly rtp: RtpSocket
  readonly rtcp: RtpSocket
  readonly ssrc: number
  #sequence = 0

  static async open(ssrc: number): Promise<RtpParty> {
    return new RtpParty(await RtpSocket.open(), await RtpSocket.open(), ssrc)
  }

  constructor(rtp: RtpSocket, rtcp: RtpSocket, ssrc: number) {
    this.rtp = rtp
    this.rtcp = rtcp
    this.ssrc = ssrc
  }

  /** Its description; `lines` are of the audio. */
  description(lines = '', protocol = 'RTP/AVP'): SessionDescription {
    const head = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n'
    return readSdp(`${head}m=audio ${this.rtp.port} ${protocol} 0\r\na=rtcp:${this.rtcp.port}\r\n${lines}`)
  }

  /** A packet of G.711 with `text` as its sound. */
  packet(text: string): Buffer {
    return writeRtp({
      marker: false,
      payloadType: 0,
      sequence: this.#sequence++,
      timestamp: 160 * this.#sequence,
      ssrc: this.ssrc,
      csrcs: [],
      payload: Buffer.from(text),
      padding: 0,
    })
  }

  close(): void {
    this.rtp.close()
    this.rtcp.close()
  }
}

export const audioOf = (session: SessionDescription): MediaDescription => session.media[0] as MediaDescription
