import type { RemoteInfo, Socket } from 'node:dgram'
import { MalformedFloor } from '../../protocols/floor/malformed-floor.ts'
import { isTalkBurst, readTalkBurst } from '../../protocols/floor/read-talk-burst.ts'
import type { TalkBurst } from '../../protocols/floor/talk-burst.ts'
import { writeTalkBurst } from '../../protocols/floor/write-talk-burst.ts'
import { MalformedRtp } from '../../protocols/rtp/malformed-rtp.ts'
import { readRtcp } from '../../protocols/rtp/read-rtcp.ts'
import { writeRtcp } from '../../protocols/rtp/write-rtcp.ts'
import type { MediaAddress } from '../../protocols/sdp/rtp-media.ts'
import { Latch } from '../rtp/index.ts'

export interface FloorEndNeeds {
  readonly socket: Socket
  readonly relatchAfter: number
  now(): number
  onMessage(message: TalkBurst): void
  /** A packet that is not taken: from a stranger, or no talk burst control, or too many. */
  onDropped(): void
}

/** Messages a second of one participant. Who presses a button sends two or three. */
const maxRate = 50

/** The server's end of talk burst control towards one participant. */
export class FloorEnd {
  readonly port: number
  readonly #needs: FloorEndNeeds
  readonly #latch: Latch
  #second = 0
  #taken = 0

  constructor(needs: FloorEndNeeds) {
    this.#needs = needs
    this.port = needs.socket.address().port
    this.#latch = new Latch(needs.relatchAfter)
    needs.socket.on('message', (packet, from) => this.#receive(packet, from))
    needs.socket.on('error', ignore)
  }

  /** Where the participant is, by its description. */
  expect(address: MediaAddress | undefined): void {
    this.#latch.expect(address)
  }

  send(message: TalkBurst): void {
    const target = this.#latch.target
    if (target === undefined) return
    this.#needs.socket.send(writeRtcp([writeTalkBurst(message)]), target.port, target.address, ignore)
  }

  #receive(packet: Buffer, from: RemoteInfo): void {
    const messages = read(packet)
    const [first] = messages
    if (first === undefined || !this.#accepts(from, first.ssrc)) this.#needs.onDropped()
    else for (const message of messages) this.#needs.onMessage(message)
  }

  #accepts({ address, port }: RemoteInfo, ssrc: number): boolean {
    const now = this.#needs.now()
    if (!this.#latch.accepts(address, port, ssrc, now)) return false
    const second = Math.floor(now / 1_000)
    if (second !== this.#second) [this.#second, this.#taken] = [second, 0]
    return ++this.#taken <= maxRate
  }
}

/** The talk burst control of a packet, which may be a compound one; none when it cannot be read. */
function read(packet: Buffer): TalkBurst[] {
  try {
    return readRtcp(packet).flatMap((one) => (one.type === 'APP' && isTalkBurst(one) ? (readTalkBurst(one) ?? []) : []))
  } catch (err) {
    if (err instanceof MalformedRtp || err instanceof MalformedFloor) return []
    throw err
  }
}

/** ICMP says that nobody takes a message: it is sent again, or asked for again. */
function ignore(): void {}
