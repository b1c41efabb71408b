import { randomUUID } from 'node:crypto'

/** What drachtio-server's receive buffer holds: a longer payload never completes. */
export const mostPayloadBytes = 12_228

/** `<N>#<payload>`, as either side writes it. */
export function frame(meta: string, sip?: Buffer | string): Buffer {
  const text = sip === undefined ? Buffer.alloc(0) : Buffer.concat([Buffer.from('\r\n'), Buffer.from(sip)])
  const payload = Buffer.concat([Buffer.from(`${randomUUID()}|${meta}`), text])
  return Buffer.concat([Buffer.from(`${payload.length}#`), payload])
}

export interface Frame {
  readonly id: string
  /** The tokens of the first line after the id. */
  readonly meta: readonly string[]
  /** What follows the first line. */
  readonly sip: Buffer | undefined
}

/** Cuts a stream into frames as drachtio-server does, and stops for good where it does. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)
  #isWedged = false

  /** Nothing is read any more. */
  get isWedged(): boolean {
    return this.#isWedged
  }

  /** Throws where there is no length: the server closes the connection then. */
  *read(bytes: Buffer): Generator<Frame> {
    if (this.#isWedged) return
    this.#rest = Buffer.concat([this.#rest, bytes])
    for (let hash = this.#hash(); hash !== -1; hash = this.#hash()) {
      const length = Number(this.#rest.toString('latin1', 0, hash))
      if (!/^[0-9]{1,5}$/.test(this.#rest.toString('latin1', 0, hash))) throw new Error('not a length')
      this.#isWedged = length > mostPayloadBytes
      if (this.#isWedged || this.#rest.length < hash + 1 + length) return
      const payload = this.#rest.subarray(hash + 1, hash + 1 + length)
      this.#rest = this.#rest.subarray(hash + 1 + length)
      yield readPayload(payload)
    }
  }

  #hash(): number {
    const at = this.#rest.indexOf('#')
    if (at === -1 && this.#rest.length > 5) throw new Error('not a length')
    return at
  }
}

function readPayload(payload: Buffer): Frame {
  const end = payload.indexOf('\r\n')
  const [id = '', ...meta] = payload.toString('utf8', 0, end === -1 ? undefined : end).split('|')
  return { id, meta, sip: end === -1 ? undefined : Buffer.from(payload.subarray(end + 2)) }
}

/** The SIP text of an app: no whole message. Header names as they were written, what follows the empty line is the body. */
export interface AppMessage {
  readonly start: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
}

export function readAppMessage(sip: Buffer): AppMessage {
  const end = sip.indexOf('\r\n\r\n')
  const head = sip.toString('latin1', 0, end === -1 ? undefined : end)
  const [start = '', ...lines] = head.split('\r\n')
  const headers = lines
    .filter((line) => line !== '')
    .map(
      (line) =>
        [nameAsSent(line.slice(0, line.indexOf(':')).trim()), line.slice(line.indexOf(':') + 1).trim()] as const,
    )
  return { start, headers, body: end === -1 ? Buffer.alloc(0) : Buffer.from(sip.subarray(end + 4)) }
}

export const headerIn = ({ headers }: AppMessage, name: string): string | undefined =>
  headers.find(([known]) => known.toLowerCase() === name)?.[1]

/** First letters become capitals; X- names stay. */
function nameAsSent(name: string): string {
  const lower = name.toLowerCase()
  if (lower.startsWith('x-')) return name
  return special[lower] ?? lower.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
}

const special: Readonly<Record<string, string>> = {
  'call-id': 'Call-ID',
  cseq: 'CSeq',
  'www-authenticate': 'WWW-Authenticate',
  rack: 'RAck',
  'min-se': 'Min-SE',
}

/** `HH:MM:SS.uuuuuu`, UTC. */
export const frameTime = (): string => `${new Date().toISOString().slice(11, 23)}000`
