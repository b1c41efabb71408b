import { readMsrpUri } from '../../protocols/msrp/msrp-uri.ts'
import { answerSetup, type Fingerprint, readMsrpMedia, withMsrpMedia } from '../../protocols/sdp/msrp-media.ts'
import type { Connection, MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import type { OwnMedia } from './own-media.ts'

/** The server's MSRP session towards one party. */
export interface OwnMsrpNeeds {
  readonly session: { readonly path: string; close(): void }
  readonly connection: Connection
  /** Of the server's certificate; given for TLS. */
  readonly fingerprint?: Fingerprint | undefined
  /** The m= line of the party that this end answers; undefined: this end is offered. */
  readonly answers?: MediaDescription | undefined
}

/** The end of an m=message line. It would rather be connected to: clients are behind NATs. */
export function ownMsrp({ session, connection, fingerprint, answers }: OwnMsrpNeeds): OwnMedia {
  const own = {
    path: [session.path],
    setup: answers === undefined ? ('actpass' as const) : answerSetup(readMsrpMedia(answers).setup),
    fingerprints: fingerprint === undefined ? [] : [fingerprint],
  }
  const { port = 0 } = readMsrpUri(session.path)
  return {
    describe: (media) => withMsrpMedia({ ...media, port, connection }, own),
    close: () => session.close(),
  }
}

/** What an MSRP session has to know of the other end. */
export interface MsrpRemote {
  readonly path: readonly string[]
  /** What this server is. */
  readonly setup: 'active' | 'passive'
  readonly fingerprints?: readonly Fingerprint[]
  readonly address?: { readonly host: string; readonly port: number }
}

/**
 * What a party's m= line says, to an end that it answers or is answered by. Without a=setup in an answer the one who
 * offered connects (RFC 4975 §5.4). With a=msrp-cema it does so to the address of c= and m= (RFC 6714 §4).
 */
export function msrpRemote(media: MediaDescription, of: SessionDescription, by: 'offer' | 'answer'): MsrpRemote {
  const { path, setup, fingerprints, cema } = readMsrpMedia(media, of)
  const host = (media.connection ?? of.connection)?.address
  const isTls = /TLS/i.test(media.protocol)
  return {
    path,
    setup: by === 'offer' ? activeOrPassive(answerSetup(setup)) : setup === 'active' ? 'passive' : 'active',
    ...(isTls && fingerprints.length > 0 ? { fingerprints } : {}),
    ...(cema && host !== undefined ? { address: { host, port: media.port } } : {}),
  }
}

/** A connection on hold is nobody's to open (RFC 4145 §4). */
const activeOrPassive = (setup: string): 'active' | 'passive' => (setup === 'active' ? 'active' : 'passive')
