import type { Socket } from 'node:dgram'
import type { TalkBurst, TalkBurstContent } from '../../protocols/floor/talk-burst.ts'
import { withoutAttributes } from '../../protocols/sdp/attributes.ts'
import { type MediaAddress, rtpAttributes } from '../../protocols/sdp/rtp-media.ts'
import type { Connection, MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import {
  commonTalkBurst,
  readTalkBurstParameters,
  type TalkBurstParameters,
  withTalkBurstParameters,
} from '../../protocols/sdp/talk-burst-media.ts'
import { type RtpMedia, remoteOf, type Side } from '../rtp/index.ts'
import { Floor } from './floor.ts'
import { FloorEnd } from './floor-end.ts'
import type { Clock, FloorTimers } from './floor-timers.ts'

/** Who is at each end of a session. */
export interface Speaker {
  readonly uri: string
  readonly name?: string | undefined
}

export type Speakers = Readonly<Record<Side, Speaker>>

export interface FloorLineNeeds {
  readonly sockets: Readonly<Record<Side, Socket>>
  readonly connection: Connection
  readonly speakers: Speakers
  readonly clock: Clock
  readonly timers: FloorTimers
  readonly relatchAfter: number
  /** The synchronisation source of the server in what it says. */
  readonly ssrc: number
  onDropped(): void
  onClosed(line: FloorLine): void
}

/** What the floor server can do, whoever asks. */
const own: TalkBurstParameters = { queueing: true, priority: 3 }

interface Said {
  readonly address: MediaAddress | undefined
  readonly parameters: TalkBurstParameters
}

/** The m= line that controls the floor: the server is the floor server, and agrees with each party by itself. */
export class FloorLine {
  readonly #needs: FloorLineNeeds
  readonly #ends: Readonly<Record<Side, FloorEnd>>
  readonly #floor: Floor<Side>
  readonly #permitted: Record<Side, boolean> = { caller: false, callee: false }
  #voices: readonly RtpMedia[] = []
  #offered: Said | undefined
  #closed = false

  constructor(needs: FloorLineNeeds) {
    this.#needs = needs
    this.#ends = { caller: this.#newEnd('caller'), callee: this.#newEnd('callee') }
    this.#floor = new Floor<Side>({
      clock: needs.clock,
      timers: needs.timers,
      send: (to, message) => this.#send(to, message),
      permit: (side, permitted) => this.#permit(side, permitted),
      heardAt: (side) => this.#heardAt(side),
    })
  }

  /** As `RtpMedia.offer`. */
  async offer(from: Side, media: MediaDescription, session: SessionDescription): Promise<MediaDescription> {
    this.#offered = saidIn(media, session)
    return this.#describe(otherSide(from), media, own)
  }

  /** As `RtpMedia.answer`. */
  async answer(from: Side, media: MediaDescription, session: SessionDescription): Promise<MediaDescription> {
    const [offered, answered] = [this.#offered, saidIn(media, session)]
    this.#offered = undefined
    if (offered === undefined) return this.#describe(otherSide(from), media, own)
    this.#join(otherSide(from), offered)
    this.#join(from, answered)
    return this.#describe(otherSide(from), media, offered.parameters)
  }

  /** The offer came to nothing. */
  reject(): void {
    this.#offered = undefined
  }

  /** From now on these are what the floor is of: of each party nothing passes unless it has the floor. */
  govern(voices: readonly RtpMedia[]): void {
    this.#voices = voices
    for (const side of ['caller', 'callee'] as const) this.#permit(side, this.#permitted[side])
  }

  /** Frees all. May be called again. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#floor.close()
    this.#voices = []
    this.#needs.onClosed(this)
  }

  #join(side: Side, { address, parameters }: Said): void {
    if (this.#closed) return
    this.#ends[side].expect(address)
    this.#floor.join(side, { ...parameters, ...this.#needs.speakers[side] })
  }

  #describe(to: Side, media: MediaDescription, parameters: TalkBurstParameters): MediaDescription {
    const bare = withoutAttributes(withTalkBurstParameters(media, parameters), ...rtpAttributes)
    const { connection } = this.#needs
    return { ...bare, port: this.#ends[to].port, connection, furtherConnections: undefined, portCount: undefined }
  }

  #newEnd(side: Side): FloorEnd {
    const { sockets, clock, relatchAfter, onDropped } = this.#needs
    return new FloorEnd({
      ...{ socket: sockets[side], relatchAfter, onDropped },
      now: () => clock.now(),
      onMessage: (message: TalkBurst) => {
        if (!this.#closed) this.#floor.handle(side, message)
      },
    })
  }

  #send(to: Side, message: TalkBurstContent): void {
    this.#ends[to].send({ ssrc: this.#needs.ssrc, ...message })
  }

  #permit(side: Side, permitted: boolean): void {
    this.#permitted[side] = permitted
    for (const voice of this.#voices) voice.mute(side, !permitted)
  }

  #heardAt(side: Side): number | undefined {
    const times = this.#voices.flatMap((voice) => voice.heardAt?.(side) ?? [])
    return times.length === 0 ? undefined : Math.max(...times)
  }
}

const otherSide = (side: Side): Side => (side === 'caller' ? 'callee' : 'caller')

const saidIn = (media: MediaDescription, session: SessionDescription): Said => ({
  address: remoteOf(media, session)?.rtp,
  parameters: commonTalkBurst(own, readTalkBurstParameters(media)),
})
