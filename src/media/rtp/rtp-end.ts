import type { RemoteInfo, Socket } from 'node:dgram'
import { hasRtpHead, isRtcp, isRtpOrRtcp, ssrcOf } from '../../protocols/rtp/rtp-packet.ts'
import { withoutAttributes } from '../../protocols/sdp/attributes.ts'
import type { MediaAddress } from '../../protocols/sdp/rtp-media.ts'
import type { Connection, MediaDescription } from '../../protocols/sdp/session-description.ts'
import { Latch } from './latch.ts'
import type { PortPair } from './port-pairs.ts'
import type { Remote } from './remote.ts'
import type { RtpCounters } from './rtp-counters.ts'

export interface RtpEndNeeds {
  readonly pair: PortPair
  /** The c= by which this end is reached. */
  readonly connection: Connection
  readonly relatchAfter: number
  readonly counters: RtpCounters
  now(): number
  /** Whether this is an address of the relay itself. */
  isOwn(address: MediaAddress): boolean
  /** A packet of the party of this end, to be passed on. */
  onPacket(end: RtpEnd, packet: Buffer, rtcp: boolean): void
  /** Frees the relay: one end alone is of no use. */
  close(): void
}

/** Packets that may wait for a socket; beyond that they are lost, as they would be on the way. */
const maxQueued = 64
/** Packets a second of one party: some megabits of video. Also the end of a loop that parties built of several relays. */
const maxRate = 2_000

/** The server's end towards one party: its two sockets, and whom they listen to. */
export class RtpEnd {
  /** RTP of this party does not pass: another one has the floor. */
  muted = false
  /** When RTP of this party came last; 0: never. */
  heardAt = 0
  readonly #needs: RtpEndNeeds
  readonly #rtp: Latch
  readonly #rtcp: Latch
  #remote: Remote | undefined
  #aliveAt = 0
  /** The second that is counted, and the packets taken in it. */
  #second = 0
  #taken = 0

  constructor(needs: RtpEndNeeds) {
    this.#needs = needs
    this.#rtp = new Latch(needs.relatchAfter)
    this.#rtcp = new Latch(needs.relatchAfter)
    const { rtp, rtcp } = needs.pair
    rtp.on('message', (packet, from) => this.#receiveRtp(packet, from))
    rtcp.on('message', (packet, from) => this.#receiveRtcp(packet, from, this.#rtcp))
    for (const socket of [rtp, rtcp]) socket.on('error', ignore)
  }

  get port(): number {
    return this.#needs.pair.port
  }

  get remote(): Remote | undefined {
    return this.#remote
  }

  /** `media` as the party of this end is to see it. Where it takes RTCP on the same port, RTCP goes there. */
  describe(media: MediaDescription): MediaDescription {
    return { ...withoutAttributes(media, 'rtcp'), port: this.port, connection: this.#needs.connection }
  }

  /** What the party of this end says of itself; with its next description again. */
  expect(remote: Remote): void {
    this.#remote = remote
    this.#aliveAt = this.#needs.now()
    this.#rtp.expect(this.#foreign(remote.rtp))
    this.#rtcp.expect(this.#foreign(remote.rtcp))
  }

  #foreign(address: MediaAddress | undefined): MediaAddress | undefined {
    return address && this.#needs.isOwn(address) ? undefined : address
  }

  /** Frees the relay that this end belongs to. */
  close(): void {
    this.#needs.close()
  }

  /** Milliseconds since the party was heard; 0 for one that does not say that it sends. */
  silence(now: number): number {
    return this.#remote?.sends ? now - this.#aliveAt : 0
  }

  send(packet: Buffer, rtcp: boolean): void {
    const apart = rtcp && this.#remote?.muxed !== true
    this.#write(apart ? this.#needs.pair.rtcp : this.#needs.pair.rtp, apart ? this.#rtcp : this.#rtp, packet)
  }

  #write(socket: Socket, latch: Latch, packet: Buffer): void {
    const target = latch.target
    if (target === undefined || socket.getSendQueueCount() >= maxQueued) {
      this.#needs.counters.undeliverable++
      return
    }
    socket.send(packet, target.port, target.address, ignore)
  }

  #receiveRtp(packet: Buffer, from: RemoteInfo): void {
    if (!isRtpOrRtcp(packet)) this.#receiveOther(packet, from)
    else if (isRtcp(packet)) this.#receiveRtcp(packet, from, this.#rtp)
    else if (!hasRtpHead(packet)) this.#needs.counters.malformed++
    else if (this.#accepts(this.#rtp, from, ssrcOf(packet))) this.#pass(packet)
  }

  #pass(packet: Buffer): void {
    const { counters } = this.#needs
    this.heardAt = this.#aliveAt
    if (this.muted) {
      counters.muted++
      return
    }
    counters.rtpPackets++
    counters.rtpBytes += packet.length
    this.#needs.onPacket(this, packet, false)
  }

  #receiveRtcp(packet: Buffer, from: RemoteInfo, latch: Latch): void {
    if (!isRtpOrRtcp(packet) || !isRtcp(packet)) {
      this.#needs.counters.malformed++
    } else if (this.#accepts(latch, from, packet.readUInt32BE(4))) {
      this.#needs.counters.rtcpPackets++
      this.#needs.onPacket(this, packet, true)
    }
  }

  /** DTLS, by its first byte (RFC 7983 §7). */
  #receiveOther(packet: Buffer, from: RemoteInfo): void {
    const first = packet[0] ?? 0
    if (this.#remote?.dtls !== true || first < 20 || first > 63) this.#needs.counters.malformed++
    else if (this.#accepts(this.#rtp, from, undefined)) this.#needs.onPacket(this, packet, false)
  }

  #accepts(latch: Latch, { address, port }: RemoteInfo, ssrc: number | undefined): boolean {
    const now = this.#needs.now()
    if (!latch.accepts(address, port, ssrc, now)) {
      this.#needs.counters.strangers++
      return false
    }
    this.#aliveAt = now
    return this.#isWithinRate(Math.floor(now / 1_000))
  }

  #isWithinRate(second: number): boolean {
    if (second !== this.#second) {
      this.#second = second
      this.#taken = 0
    }
    if (this.#taken >= maxRate) {
      this.#needs.counters.tooMany++
      return false
    }
    this.#taken++
    return true
  }
}

/** ICMP says that nobody takes a packet: of a party that is gone the silence tells. */
function ignore(): void {}
