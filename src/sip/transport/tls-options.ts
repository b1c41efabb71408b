import { isIP } from 'node:net'

/** The certificate that this server shows, to those who connect and to those it connects to. PEM. */
export interface TlsIdentity {
  readonly cert: Buffer
  readonly key: Buffer
}

/** How the certificates of others are judged. */
export interface TlsTrust {
  /** Authorities to believe instead of the well-known ones. PEM. */
  readonly ca?: Buffer
  /** False: any certificate is taken. */
  readonly verify?: boolean
}

/** What a connection that we open is given. */
export interface ClientTls {
  readonly servername?: string
  readonly cert?: Buffer
  readonly key?: Buffer
  readonly ca?: Buffer
  readonly rejectUnauthorized: boolean
}

/** `host` is what the certificate must be for (RFC 5922 §4); an address cannot be named in SNI (RFC 6066 §3). */
export function clientTls(host: string, trust: TlsTrust, identity?: TlsIdentity): ClientTls {
  return {
    ...(isIP(host) === 0 && { servername: host }),
    ...identity,
    ...(trust.ca && { ca: trust.ca }),
    rejectUnauthorized: trust.verify !== false,
  }
}
