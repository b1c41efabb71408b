import { createHash, randomBytes } from 'node:crypto'

/** A challenge that a phone keeps, so that later requests bring credentials at once, with the next count. */
export interface Challenge {
  readonly realm: string
  readonly nonce: string
  readonly algorithm: 'MD5' | 'SHA-256'
  readonly opaque: string | undefined
  readonly qop: boolean
  readonly stale: boolean
  count: number
}

/** Reads one WWW-Authenticate or Proxy-Authenticate value (RFC 8760). */
export function readChallenge(value: string): Challenge {
  const param = (name: string) => new RegExp(`[ ,]${name}="?([^",]*)"?`, 'i').exec(value)?.[1]
  return {
    realm: param('realm') ?? '',
    nonce: param('nonce') ?? '',
    algorithm: param('algorithm')?.toUpperCase() === 'SHA-256' ? 'SHA-256' : 'MD5',
    opaque: param('opaque'),
    qop: /qop="?[^"]*auth/i.test(value),
    stale: /stale="?true/i.test(value),
    count: 0,
  }
}

export interface DigestRequest {
  readonly method: string
  readonly uri: string
  readonly username: string
  readonly password: string
}

/** The value of Authorization or Proxy-Authorization (RFC 7616 §3.4). `count` of the challenge goes up by one. */
export function writeCredentials(challenge: Challenge, request: DigestRequest): string {
  challenge.count += 1
  const nc = challenge.count.toString(16).padStart(8, '0')
  const cnonce = randomBytes(8).toString('hex')
  const h = (text: string) =>
    createHash(challenge.algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex')
  const ha1 = h(`${request.username}:${challenge.realm}:${request.password}`)
  const ha2 = h(`${request.method}:${request.uri}`)
  const middle = challenge.qop ? `${challenge.nonce}:${nc}:${cnonce}:auth` : challenge.nonce
  const fields = [
    `username="${request.username}"`,
    `realm="${challenge.realm}"`,
    `nonce="${challenge.nonce}"`,
    `uri="${request.uri}"`,
    `response="${h(`${ha1}:${middle}:${ha2}`)}"`,
    `algorithm=${challenge.algorithm}`,
  ]
  if (challenge.qop) fields.push('qop=auth', `nc=${nc}`, `cnonce="${cnonce}"`)
  if (challenge.opaque !== undefined) fields.push(`opaque="${challenge.opaque}"`)
  return `Digest ${fields.join(', ')}`
}
