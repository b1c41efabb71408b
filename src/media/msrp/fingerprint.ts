import { createHash, X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** How a session description names a certificate (RFC 8122 §5): `sha-256`, and bytes in hex with colons between. */
export interface Fingerprint {
  readonly algorithm: string
  readonly value: string
}

const algorithms: Readonly<Record<string, string>> = {
  'sha-1': 'sha1',
  'sha-224': 'sha224',
  'sha-256': 'sha256',
  'sha-384': 'sha384',
  'sha-512': 'sha512',
}

/** Of a PEM or DER certificate. */
export function fingerprintOf(certificate: Buffer, algorithm = 'sha-256'): Fingerprint {
  return { algorithm, value: hashOf(new X509Certificate(certificate).raw, algorithm) ?? '' }
}

/** Whether the peer showed one of these certificates. */
export function showsOneOf(socket: Socket, fingerprints: readonly Fingerprint[]): boolean {
  const raw = socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.raw : undefined
  if (raw === undefined) return false
  return fingerprints.some(({ algorithm, value }) => hashOf(raw, algorithm.toLowerCase()) === value.toUpperCase())
}

function hashOf(der: Buffer, algorithm: string): string | undefined {
  const name = algorithms[algorithm]
  if (name === undefined) return undefined
  const hex = createHash(name).update(der).digest('hex').toUpperCase()
  return hex.replace(/..(?!$)/g, '$&:')
}
