import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { eventually } from './eventually.ts'

export interface Received {
  readonly path: string
  readonly type: string
  readonly text: string
  /** The NmsEventList, where it is in JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: what a test reads of it, it says itself
  readonly list: any
}

type Answer = number | 'cut' | 'wait'

/** Waits until that is so. */
export const becomes = (check: () => boolean | Promise<boolean>): Promise<void> =>
  eventually(async () => {
    if (!(await check())) throw new Error('not yet')
  })

/** A client that is called back with notifications. */
export class CallbackReceiver {
  readonly received: Received[] = []
  /** How the next ones are answered; 204 after them. */
  answers: Answer[] = []
  headers: Readonly<Record<string, string>> = {}
  /** At the same moment, the most that there were. */
  most = 0
  #now = 0
  readonly #server: Server
  readonly #held: ServerResponse[] = []

  private constructor(server: Server) {
    this.#server = server
  }

  static async open(): Promise<CallbackReceiver> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const receiver = new CallbackReceiver(server)
    server.on('request', (request, response) => receiver.#take(request, response))
    return receiver
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  url = (path = '/notify', host = '127.0.0.1'): string => `http://${host}:${this.port}${path}`

  /** Waits until so many have come, all in all. */
  async until(count: number): Promise<Received[]> {
    await becomes(() => this.received.length >= count)
    return this.received
  }

  /** Answers those that wait. */
  letGo(status = 204): void {
    for (const response of this.#held.splice(0)) response.writeHead(status).end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    this.most = Math.max(this.most, ++this.#now)
    response.on('close', () => this.#now--)
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const text = Buffer.concat(pieces).toString()
      const type = request.headers['content-type'] ?? ''
      const list = type.startsWith('application/json') ? JSON.parse(text).nmsEventList : undefined
      this.received.push({ path: request.url ?? '', type, text, list })
      this.#answer(response, this.answers.shift() ?? 204)
    })
  }

  #answer(response: ServerResponse, answer: Answer): void {
    if (answer === 'cut') response.destroy()
    else if (answer === 'wait') this.#held.push(response)
    else response.writeHead(answer, this.headers).end()
  }
}
