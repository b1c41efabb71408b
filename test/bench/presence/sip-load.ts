import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** What came for one of the many users of a socket. */
export type OnRequest = (head: string, bytes: Buffer) => void

interface UnderWay {
  readonly bytes: Buffer
  readonly began: number
  tries: number
  resendAt: number
  readonly onFinal: (status: number, head: string) => void
}

const [t1, t2, timeout] = [500, 4_000, 32_000]
const endOfHead = Buffer.from('\r\n\r\n')
const copied = /^(?:via|v|from|f|to|t|call-id|i|cseq):/i

/** A UDP socket of many users: sends requests again until they are answered (RFC 3261 §17.1.2), and answers all with 200. */
export class SipLoad {
  readonly port: number
  readonly #socket: Socket
  readonly #server: number
  readonly #underWay = new Map<string, UnderWay>()
  readonly #resending: NodeJS.Timeout
  #next = 0

  static async open(server: number, onRequest: OnRequest): Promise<SipLoad> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4_194_304, sendBufferSize: 4_194_304 })
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new SipLoad(socket, server, onRequest)
  }

  private constructor(socket: Socket, server: number, onRequest: OnRequest) {
    this.#socket = socket
    this.#server = server
    this.port = socket.address().port
    socket.on('message', (bytes) => this.#take(bytes, onRequest))
    this.#resending = setInterval(() => this.#resend(), 100)
  }

  /** Without Via, Max-Forwards and Content-Length, each line with its end. Status 408: no answer. */
  request(method: string, uri: string, fields: string, body: string, onFinal: UnderWay['onFinal']): void {
    const branch = `z9hG4bK${this.port}x${this.#next++}`
    const via = `SIP/2.0/UDP 127.0.0.1:${this.port};branch=${branch};rport`
    const text =
      `${method} ${uri} SIP/2.0\r\nVia: ${via}\r\nMax-Forwards: 70\r\n${fields}` +
      `Content-Length: ${body.length}\r\n\r\n${body}`
    const bytes = Buffer.from(text)
    const began = performance.now()
    this.#underWay.set(branch, { bytes, began, tries: 1, resendAt: began + t1, onFinal })
    this.#socket.send(bytes, this.#server, '127.0.0.1')
  }

  close(): void {
    clearInterval(this.#resending)
    this.#socket.close()
  }

  #take(bytes: Buffer, onRequest: OnRequest): void {
    const head = bytes.toString('latin1', 0, bytes.indexOf(endOfHead))
    if (head.startsWith('SIP/2.0 ')) {
      this.#answered(head)
      return
    }
    onRequest(head, bytes)
    const kept = head.split('\r\n').filter((line) => copied.test(line))
    this.#socket.send(`SIP/2.0 200 OK\r\n${kept.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`, this.#server, '127.0.0.1')
  }

  #answered(head: string): void {
    const status = Number(head.slice(8, 11))
    if (status < 200) return
    const branch = /branch=([^;,\s]+)/.exec(head)?.[1] ?? ''
    const request = this.#underWay.get(branch)
    this.#underWay.delete(branch)
    request?.onFinal(status, head)
  }

  #resend(): void {
    const now = performance.now()
    for (const [branch, request] of this.#underWay) {
      if (now - request.began > timeout) {
        this.#underWay.delete(branch)
        request.onFinal(408, '')
      } else if (now >= request.resendAt) {
        request.resendAt = now + Math.min(t2, t1 * 2 ** request.tries++)
        this.#socket.send(request.bytes, this.#server, '127.0.0.1')
      }
    }
  }
}
