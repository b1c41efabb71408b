import { attribute, attributes, withAttribute, withoutAttributes } from './attributes.ts'
import type { MediaDescription, SessionDescription } from './session-description.ts'

/** Who opens the connection (RFC 4145 §4, for MSRP RFC 6135). */
export type Setup = 'active' | 'passive' | 'actpass' | 'holdconn'

/** The MSRP attributes of one m= line (RFC 4975 §8). */
export interface MsrpMedia {
  /** MSRP URIs, from the first hop to the endpoint. */
  readonly path: readonly string[]
  readonly acceptTypes: readonly string[]
  readonly acceptWrappedTypes: readonly string[]
  readonly maxSize: number | undefined
  /** An offer without a=setup is active: its writer connects (RFC 4975 §5.4). */
  readonly setup: Setup | undefined
  /** RFC 6714: the address of c= and m= counts, not that of the path. */
  readonly cema: boolean
  /** RFC 8122; of TLS only. */
  readonly fingerprints: readonly Fingerprint[]
}

export interface Fingerprint {
  /** Such as `sha-256`, in lower case. */
  readonly algorithm: string
  /** Pairs of hexadecimal digits with colons between, in upper case. */
  readonly value: string
}

/** Whether this m= line is MSRP, over TCP, TLS or WebSocket (RFC 4975 §8.1, RFC 7977). */
export const isMsrp = (media: MediaDescription): boolean =>
  media.media === 'message' && /(?:^|\/)MSRP$/i.test(media.protocol)

export function readMsrpMedia(media: MediaDescription, session?: SessionDescription): MsrpMedia {
  const ownPrints = attributes(media, 'fingerprint')
  const prints = ownPrints.length > 0 || session === undefined ? ownPrints : attributes(session, 'fingerprint')
  const maxSize = attribute(media, 'max-size')
  return {
    path: words(attribute(media, 'path')),
    acceptTypes: words(attribute(media, 'accept-types')),
    acceptWrappedTypes: words(attribute(media, 'accept-wrapped-types')),
    maxSize: maxSize === undefined ? undefined : Number(maxSize),
    setup: (attribute(media, 'setup') ?? (session && attribute(session, 'setup'))) as Setup | undefined,
    cema: attribute(media, 'msrp-cema') !== undefined,
    fingerprints: prints.map(readFingerprint),
  }
}

/** Words of a list; a quoted parameter may hold a space. */
const words = (list = ''): string[] => list.match(/(?:[^\s"]|"[^"]*")+/g) ?? []

export function readFingerprint(value: string): Fingerprint {
  const [algorithm = '', print = ''] = value.split(' ')
  return { algorithm: algorithm.toLowerCase(), value: print.toUpperCase() }
}

/** A copy of `media` with these attributes in place of its own; what is undefined or empty is taken out. */
export function withMsrpMedia(media: MediaDescription, msrp: Partial<MsrpMedia>): MediaDescription {
  let changed = media
  const put = (name: string, value: string | undefined) => {
    changed = value === undefined ? withoutAttributes(changed, name) : withAttribute(changed, name, value)
  }
  const list = (values: readonly string[]) => (values.length === 0 ? undefined : values.join(' '))
  if (msrp.acceptTypes) put('accept-types', list(msrp.acceptTypes))
  if (msrp.acceptWrappedTypes) put('accept-wrapped-types', list(msrp.acceptWrappedTypes))
  if ('maxSize' in msrp) put('max-size', msrp.maxSize?.toString())
  if ('setup' in msrp) put('setup', msrp.setup)
  if (msrp.path) put('path', list(msrp.path))
  if (msrp.cema !== undefined) put('msrp-cema', msrp.cema ? '' : undefined)
  if (msrp.fingerprints) changed = withFingerprints(changed, msrp.fingerprints)
  return changed
}

function withFingerprints(media: MediaDescription, fingerprints: readonly Fingerprint[]): MediaDescription {
  const bare = withoutAttributes(media, 'fingerprint')
  const prints = fingerprints.map(({ algorithm, value }) => ({ name: 'fingerprint', value: `${algorithm} ${value}` }))
  return { ...bare, attributes: [...bare.attributes, ...prints] }
}

/** The a=setup that answers `offered` (RFC 4145 §4.1): `preferred` where the offer leaves the choice. */
export function answerSetup(offered: Setup | undefined, preferred: 'active' | 'passive' = 'passive'): Setup {
  switch (offered) {
    case 'actpass':
      return preferred
    case 'passive':
      return 'active'
    case 'holdconn':
      return 'holdconn'
    case 'active':
    case undefined:
      return 'passive'
  }
}
