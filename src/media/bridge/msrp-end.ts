import { Failure } from '../../failure.ts'
import { readMsrpUri } from '../../protocols/msrp/msrp-uri.ts'
import { answerSetup, type MsrpMedia, readMsrpMedia, withMsrpMedia } from '../../protocols/sdp/msrp-media.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import type { OwnMedia } from '../capability/index.ts'
import type { Fingerprint, MsrpSession, Remote } from '../msrp/index.ts'
import type { Facing } from './facing.ts'
import { kindOf } from './msrp-kind.ts'

export { kindOf }

export interface MsrpEndNeeds {
  readonly session: MsrpSession
  /** What the line that goes to the party has for a protocol; that of the other party unless told otherwise. */
  readonly protocol?: string
  readonly index: number
  readonly facing: Facing
  /** Of a session over TLS: our own certificate. */
  readonly fingerprint: Fingerprint | undefined
  /** What this end is where the party leaves the choice (RFC 6135 §4.2); passive unless told otherwise. */
  readonly prefers?: 'active' | 'passive' | undefined
  /** For one file, and over when that proves to be too large. */
  readonly isFile?: boolean
  /** The party is gone, and has not come back. */
  readonly onGone: () => void
}

/** The server's end of an MSRP session towards one party. */
export class MsrpEnd implements OwnMedia {
  readonly session: MsrpSession
  readonly #needs: MsrpEndNeeds

  constructor(needs: MsrpEndNeeds) {
    this.#needs = needs
    this.session = needs.session
    this.session.onClosed = (by) => {
      if (by !== 'close' && by !== 'shutdown') needs.onGone()
    }
    if (needs.isFile) {
      this.session.onRefused = (status) => {
        if (status === 413 && !this.session.closed) needs.onGone()
      }
    }
  }

  get isFile(): boolean {
    return this.#needs.isFile === true
  }

  describe(media: MediaDescription): MediaDescription {
    const { fingerprint, protocol = media.protocol } = this.#needs
    const offered = this.#offered
    const { port } = readMsrpUri(this.session.path)
    return withMsrpMedia(
      { ...media, port: port ?? 0, protocol },
      {
        path: [this.session.path],
        setup: offered === undefined ? offeredSetup(protocol) : answerSetup(offered.setup, this.#needs.prefers),
        cema: offered === undefined || offered.cema,
        ...(fingerprint && { fingerprints: [fingerprint] }),
      },
    )
  }

  /** The party has said what there is to know of it, in `described`. It may send messages of up to `messageBytes`. */
  join(media: MediaDescription, described: SessionDescription, answered: boolean, messageBytes?: number): void {
    const msrp = readMsrpMedia(media, described)
    const remote = remoteOf(msrp, media, described, this.#setup(msrp, answered))
    const connecting = this.session.connect({ ...remote, messageBytes })
    connecting.catch((err) => {
      if (!(err instanceof Failure) || !this.session.closed) this.#needs.onGone()
    })
  }

  close(): void {
    this.session.close()
  }

  /** What this end is, from what the party said of itself: in an offer, or in the `answered` case in an answer. */
  #setup({ setup }: MsrpMedia, answered: boolean): Remote['setup'] {
    if (!answered) return answerSetup(setup, this.#needs.prefers) === 'active' ? 'active' : 'passive'
    return setup === 'active' || setup === 'holdconn' ? 'passive' : 'active'
  }

  get #offered(): MsrpMedia | undefined {
    const { answering } = this.#needs.facing
    const media = answering?.media[this.#needs.index]
    return media && readMsrpMedia(media, answering)
  }
}

/** A WebSocket is opened by the client. */
const offeredSetup = (protocol: string) => (/\bWSS?\b/i.test(protocol) ? 'passive' : 'actpass')

/** A party that wants to be connected to where only it can connect: a WebSocket is opened by the client (RFC 7977 §4.1). */
export const waitsOnWebSocket = (media: MediaDescription): boolean =>
  kindOf(media).transport === 'ws' && readMsrpMedia(media).setup === 'passive'

function remoteOf(
  { path, cema, fingerprints }: MsrpMedia,
  media: MediaDescription,
  described: SessionDescription,
  setup: Remote['setup'],
): Remote {
  const host = (media.connection ?? described.connection)?.address
  return {
    path,
    setup,
    ...(fingerprints.length > 0 && { fingerprints }),
    ...(cema && host !== undefined && { address: { host, port: media.port } }),
  }
}
