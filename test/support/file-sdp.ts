import { createHash } from 'node:crypto'

export interface FileLine {
  readonly path: string
  readonly direction: 'sendonly' | 'recvonly'
  readonly name?: string
  readonly size?: number
  readonly hash?: string
  /** `1001-*`: the part of the file that is sent. */
  readonly range?: string
  readonly id?: string
  /** Further attributes, without `a=`. */
  readonly more?: readonly string[]
}

/** An m= line for one file (RFC 5547 §8.2); the client opens the connection. */
export function fileLine({ path, direction, name = 'a.bin', size, hash, range, id = 'tr1', more = [] }: FileLine) {
  const selector = [`name:"${name}"`, 'type:application/octet-stream']
  if (size !== undefined) selector.push(`size:${size}`)
  if (hash !== undefined) selector.push(`hash:sha-1:${hash}`)
  const attributes = [`path:${path}`, 'setup:active', 'accept-types:application/octet-stream', direction]
  attributes.push(`file-selector:${selector.join(' ')}`, `file-transfer-id:${id}`)
  if (range !== undefined) attributes.push(`file-range:${range}`)
  const lines = ['m=message 9 TCP/MSRP *', ...[...attributes, ...more].map((value) => `a=${value}`)]
  return `${lines.join('\r\n')}\r\n`
}

/** What a declined line is answered with. */
export const declined = 'm=message 0 TCP/MSRP *\r\n'

let sessions = 100

/** A session description of these m= lines. */
export const sessionOf = (...lines: readonly string[]): string =>
  `v=0\r\no=- ${++sessions} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n${lines.join('')}`

/** The hash of RFC 5547 §6: pairs of hexadecimal digits with colons between. */
export const fileHash = (file: Buffer): string =>
  (createHash('sha1').update(file).digest('hex').toUpperCase().match(/../g) ?? []).join(':')

/** The m= lines of a description, each with its attributes. */
export const mediaLines = (sdp: string): string[] => sdp.split(/^(?=m=)/m).slice(1)
