/** A SIP message as the phones of the tests read and write it: their own code, for the server's is what they judge. */
export class SipText {
  readonly start: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer

  constructor(start: string, headers: readonly (readonly [string, string])[], body: Buffer = Buffer.alloc(0)) {
    this.start = start
    this.headers = headers
    this.body = body
  }

  get isRequest(): boolean {
    return !this.start.startsWith('SIP/2.0 ')
  }
  get method(): string {
    return this.start.split(' ')[0] ?? ''
  }
  get uri(): string {
    return this.start.split(' ')[1] ?? ''
  }
  get status(): number {
    return Number(this.start.split(' ')[1])
  }
  get reason(): string {
    return this.start.split(' ').slice(2).join(' ')
  }
  get text(): string {
    return this.body.toString('utf8')
  }

  /** The first value of that name, whatever the case; compact forms are written out when a message is read. */
  header(name: string): string | undefined {
    return this.headers.find(([other]) => other.toLowerCase() === name.toLowerCase())?.[1]
  }

  /** Every value of that name, one for each header line. */
  all(name: string): string[] {
    return this.headers.filter(([other]) => other.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  }

  toBytes(): Buffer {
    const lines = this.headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    const head = `${this.start}\r\n${lines}Content-Length: ${this.body.length}\r\n\r\n`
    return Buffer.concat([Buffer.from(head, 'latin1'), this.body])
  }
}

const compact: Readonly<Record<string, string>> = {
  a: 'Accept-Contact',
  c: 'Content-Type',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  s: 'Subject',
  t: 'To',
  v: 'Via',
}

/** Reads the message at the start of `bytes`; `undefined` when it is not complete yet. */
export function readSipText(bytes: Buffer, wholeDatagram: boolean): { message: SipText; used: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [start = '', ...lines] = bytes
    .toString('latin1', 0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
  const headers = lines.map(readLine).filter(([name]) => name.toLowerCase() !== 'content-length')
  const length = contentLength(lines) ?? (wholeDatagram ? bytes.length - end - 4 : 0)
  const used = end + 4 + length
  if (used > bytes.length) return undefined
  return { message: new SipText(start, headers, Buffer.from(bytes.subarray(end + 4, used))), used }
}

function readLine(line: string): readonly [string, string] {
  const colon = line.indexOf(':')
  const name = line.slice(0, colon).trim()
  return [compact[name.toLowerCase()] ?? name, line.slice(colon + 1).trim()]
}

function contentLength(lines: readonly string[]): number | undefined {
  const found = lines.map(readLine).find(([name]) => name.toLowerCase() === 'content-length')
  return found && Number(found[1])
}

/** Cuts a stream into messages; the keep-alives between them (RFC 5626 §3.5.1) go to `onPong`. */
export class SipTextStream {
  #rest = Buffer.alloc(0)
  #onPong: () => void

  constructor(onPong: () => void) {
    this.#onPong = onPong
  }

  *read(bytes: Buffer): Generator<SipText> {
    this.#rest = Buffer.concat([this.#rest, bytes])
    for (;;) {
      while (this.#rest.subarray(0, 2).equals(crlf)) {
        this.#rest = this.#rest.subarray(2)
        this.#onPong()
      }
      const read = readSipText(this.#rest, false)
      if (read === undefined) return
      this.#rest = this.#rest.subarray(read.used)
      yield read.message
    }
  }
}

const crlf = Buffer.from('\r\n')
