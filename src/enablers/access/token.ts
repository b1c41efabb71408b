import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

export type TokenKind = 'access' | 'refresh'

/** What a token says to whoever made it; to others it is opaque. */
export interface Token {
  readonly kind: TokenKind
  readonly owner: number
  /** The grant that it belongs to: 32 hexadecimal digits. */
  readonly grant: string
  readonly secret: Buffer
}

const kinds = ['access', 'refresh'] as const
const prefix = 'prl_'
const secretBytes = 32
const bytes = 1 + 8 + 16 + secretBytes
const form = new RegExp(`^${prefix}[A-Za-z0-9_-]{${(bytes * 8) / 6}}$`)

export const newSecret = (): Buffer => randomBytes(secretBytes)

export function writeToken({ kind, owner, grant, secret }: Token): string {
  const token = Buffer.alloc(bytes)
  token.writeUInt8(kinds.indexOf(kind), 0)
  token.writeBigUInt64BE(BigInt(owner), 1)
  token.write(grant, 9, 16, 'hex')
  secret.copy(token, 25)
  return prefix + token.toString('base64url')
}

/** Undefined where it is none of ours. */
export function readToken(text: string): Token | undefined {
  if (!form.test(text)) return undefined
  const token = Buffer.from(text.slice(prefix.length), 'base64url')
  const kind = kinds[token.readUInt8(0)]
  const owner = Number(token.readBigUInt64BE(1))
  if (kind === undefined || !Number.isSafeInteger(owner)) return undefined
  return { kind, owner, grant: token.toString('hex', 9, 25), secret: token.subarray(25) }
}

export const hashOf = (secret: Buffer): Buffer => createHash('sha256').update(secret).digest()

export const opens = (secret: Buffer, hash: Buffer): boolean => timingSafeEqual(hashOf(secret), hash)
