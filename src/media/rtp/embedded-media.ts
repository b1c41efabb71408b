import { withoutAttributes } from '../../protocols/sdp/attributes.ts'
import { rtpAttributes } from '../../protocols/sdp/rtp-media.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import { agreed, type Remote, remoteOf } from './remote.ts'
import type { RtpEnd } from './rtp-end.ts'
import type { RtpMedia, Side } from './rtp-engine.ts'
import type { RtpRelay } from './rtp-relay.ts'
import type { SoundTap } from './sound-tap.ts'

/**
 * An m= line through the embedded relay. ICE ends here: who wants a path found would find none. Keys and certificates
 * pass, for packets do so as they are (RFC 5763, RFC 4568).
 */
export class EmbeddedMedia implements RtpMedia {
  readonly #relay: RtpRelay
  #offered: Remote | undefined

  constructor(relay: RtpRelay) {
    this.#relay = relay
  }

  async offer(from: Side, media: MediaDescription, session: SessionDescription): Promise<MediaDescription> {
    this.#offered = remoteOf(media, session)
    return this.#describe(from, media)
  }

  async answer(from: Side, media: MediaDescription, session: SessionDescription): Promise<MediaDescription> {
    const [offered, answered] = [this.#offered, remoteOf(media, session)]
    this.#offered = undefined
    if (offered !== undefined && answered !== undefined) {
      this.#endFacing(from).expect(agreed(answered, offered))
      this.#endAwayFrom(from).expect(agreed(offered, answered))
    }
    return this.#describe(from, media)
  }

  reject(): void {
    this.#offered = undefined
  }

  mute(side: Side, muted: boolean): void {
    this.#endFacing(side).muted = muted
  }

  heardAt(side: Side): number {
    return this.#endFacing(side).heardAt
  }

  hear(tap: SoundTap | undefined): void {
    this.#relay.tap = tap && ((near, packet) => tap.packet(near ? 'caller' : 'callee', packet))
  }

  close(): void {
    this.#relay.close()
  }

  #describe(from: Side, media: MediaDescription): MediaDescription {
    const bare = withoutAttributes(media, ...rtpAttributes)
    return this.#endAwayFrom(from).describe({ ...bare, furtherConnections: undefined, portCount: undefined })
  }

  #endFacing(side: Side): RtpEnd {
    return side === 'caller' ? this.#relay.near : this.#relay.far
  }

  #endAwayFrom(side: Side): RtpEnd {
    return side === 'caller' ? this.#relay.far : this.#relay.near
  }
}
