import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** An untagged response, with its literals apart. */
export interface ImapResponse {
  readonly text: string
  readonly literals: readonly Buffer[]
}

interface Waiting {
  readonly tag: string
  readonly resolve: (responses: readonly ImapResponse[]) => void
  readonly reject: (err: Error) => void
}

const lineEnd = Buffer.from('\r\n')
const literalAtEnd = /\{(\d+)\}$/

/** As little of an IMAP client as a benchmark needs (RFC 3501, with LITERAL+ and MULTIAPPEND): one command at a time. */
export class ImapClient {
  readonly #socket: Socket
  #bytes: Buffer = Buffer.alloc(0)
  /** Of a response that has not come in full. */
  #text = ''
  #literals: Buffer[] = []
  #missing = 0
  #responses: ImapResponse[] = []
  #waiting: Waiting | undefined
  #tags = 0

  static async connect(port: number): Promise<ImapClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new ImapClient(socket)
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => this.#take(bytes))
    socket.on('error', (err) => this.#fail(err))
    socket.on('close', () => this.#fail(new Error('the IMAP server has closed the connection')))
  }

  /** Sends a command, its pieces as they are; resolves with the untagged responses once it is completed with OK. */
  command(...pieces: readonly (string | Buffer)[]): Promise<readonly ImapResponse[]> {
    const tag = `t${++this.#tags}`
    this.#socket.cork()
    this.#socket.write(`${tag} `)
    for (const piece of pieces) this.#socket.write(piece)
    this.#socket.write(lineEnd)
    this.#socket.uncork()
    return new Promise((resolve, reject) => {
      this.#waiting = { tag, resolve, reject }
    })
  }

  /** Messages in one command (RFC 3502); they are there in full, or not at all. */
  async append(mailbox: string, messages: readonly Buffer[]): Promise<void> {
    const pieces = messages.flatMap((message) => [` {${message.length}+}\r\n`, message])
    await this.command(`APPEND "${mailbox}"`, ...pieces)
  }

  /** Resolves with the number of messages in it. */
  async select(mailbox: string): Promise<number> {
    const responses = await this.command(`SELECT "${mailbox}"`)
    const exists = responses.map(({ text }) => /^\* (\d+) EXISTS/.exec(text)?.[1]).find((count) => count !== undefined)
    return Number(exists)
  }

  async fetch(range: string, items: string): Promise<readonly ImapResponse[]> {
    const responses = await this.command(`FETCH ${range} ${items}`)
    return responses.filter(({ text }) => /^\* \d+ FETCH/.test(text))
  }

  close(): void {
    this.#waiting = undefined
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes])
    while (this.#takeLiteral() && this.#takeLine());
  }

  #takeLiteral(): boolean {
    if (this.#missing === 0) return true
    if (this.#bytes.length < this.#missing) return false
    this.#literals.push(this.#bytes.subarray(0, this.#missing))
    this.#bytes = this.#bytes.subarray(this.#missing)
    this.#missing = 0
    return true
  }

  #takeLine(): boolean {
    const end = this.#bytes.indexOf(lineEnd)
    if (end < 0) return false
    this.#text += this.#bytes.toString('latin1', 0, end)
    this.#bytes = this.#bytes.subarray(end + 2)
    const literal = literalAtEnd.exec(this.#text)
    if (literal !== null) this.#missing = Number(literal[1])
    else this.#complete()
    return true
  }

  #complete(): void {
    const response = { text: this.#text, literals: this.#literals }
    this.#text = ''
    this.#literals = []
    const waiting = this.#waiting
    if (waiting === undefined || !response.text.startsWith(`${waiting.tag} `)) {
      this.#responses.push(response)
      return
    }
    const responses = this.#responses
    this.#responses = []
    this.#waiting = undefined
    if (/^\S+ OK/.test(response.text)) waiting.resolve(responses)
    else waiting.reject(new Error(`IMAP: ${response.text}`))
  }

  #fail(err: Error): void {
    this.#waiting?.reject(err)
    this.#waiting = undefined
  }
}
