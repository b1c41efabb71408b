import { Failure } from '../../failure.ts'
import { readMsrpUri } from '../../protocols/msrp/msrp-uri.ts'
import { answerSetup, type MsrpMedia, readMsrpMedia, withMsrpMedia } from '../../protocols/sdp/msrp-media.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import type { OwnMedia } from '../capability/index.ts'
import type { Fingerprint, MsrpSession, Remote, SessionKind } from '../msrp/index.ts'
import type { Facing } from './facing.ts'

export interface MsrpEndNeeds {
  readonly session: MsrpSession
  readonly index: number
  readonly facing: Facing
  /** Of a session over TLS: our own certificate. */
  readonly fingerprint: Fingerprint | undefined
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
  }

  /** Of the two ends ours is the one that waits, where the party leaves the choice (RFC 6135 §4.2). */
  describe(media: MediaDescription): MediaDescription {
    const { fingerprint } = this.#needs
    const offered = this.#offered
    const { port } = readMsrpUri(this.session.path)
    return withMsrpMedia(
      { ...media, port: port ?? 0 },
      {
        path: [this.session.path],
        setup: offered === undefined ? 'actpass' : answerSetup(offered.setup),
        cema: offered === undefined || offered.cema,
        ...(fingerprint && { fingerprints: [fingerprint] }),
      },
    )
  }

  /** The party has said what there is to know of it, in `described`. `connects`: the server does. */
  join(media: MediaDescription, described: SessionDescription, answered: boolean): void {
    const msrp = readMsrpMedia(media, described)
    const connecting = this.session.connect(remoteOf(msrp, media, described, answered))
    connecting.catch((err) => {
      if (!(err instanceof Failure) || !this.session.closed) this.#needs.onGone()
    })
  }

  close(): void {
    this.session.close()
  }

  get #offered(): MsrpMedia | undefined {
    const { answering } = this.#needs.facing
    const media = answering?.media[this.#needs.index]
    return media && readMsrpMedia(media, answering)
  }
}

/** Which way a session of that m= line is reached (RFC 4975 §8.1, RFC 7977 §5.2). */
export function kindOf({ protocol }: MediaDescription): SessionKind {
  return { secure: /TLS|WSS/i.test(protocol), transport: /\bWSS?\b/i.test(protocol) ? 'ws' : 'tcp' }
}

function remoteOf(
  { path, setup, cema, fingerprints }: MsrpMedia,
  media: MediaDescription,
  described: SessionDescription,
  answered: boolean,
): Remote {
  const host = (media.connection ?? described.connection)?.address
  return {
    path,
    setup: ourSetup(setup, answered),
    ...(fingerprints.length > 0 && { fingerprints }),
    ...(cema && host !== undefined && { address: { host, port: media.port } }),
  }
}

/** What the server is, from what the party said of itself: in an offer, or in the `answered` case in an answer. */
function ourSetup(setup: MsrpMedia['setup'], answered: boolean): 'active' | 'passive' {
  if (!answered) return answerSetup(setup) === 'active' ? 'active' : 'passive'
  return setup === 'active' || setup === 'holdconn' ? 'passive' : 'active'
}
