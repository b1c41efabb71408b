import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { isIP } from 'node:net'

interface Options {
  /** Whether a callback may go to that address. */
  readonly permits: (address: string) => boolean
  readonly timeoutMs: number
}

export interface Callback {
  readonly url: string
  readonly type: string
  readonly body: string
}

/** The client's answer to a notification. */
export interface CallbackAnswer {
  readonly status: number
  /** Seconds, where it says when to try again. */
  readonly retryAfter: number | undefined
}

/** A callback must not go where its URL leads. */
export class CallbackRefused extends Error {
  override readonly name = 'CallbackRefused'
}

/** What is read of an answer: nothing in it matters (NMS §6.19). */
const mostAnswerBytes = 65_536
const mostSockets = 256

/**
 * Posts notifications to where clients want them. The URL is a stranger's: no redirect is followed, no more of the answer is
 * read than its status, and the address that is connected to is the very one that was checked, whatever DNS says next.
 */
export class Callbacks {
  readonly #options: Options
  readonly #http: HttpAgent
  readonly #https: HttpsAgent

  constructor(options: Options) {
    this.#options = options
    const agent = { keepAlive: true, maxSockets: 8, maxTotalSockets: mostSockets, timeout: 30_000 }
    this.#http = new HttpAgent(agent)
    this.#https = new HttpsAgent(agent)
  }

  /** Whether that may be the URL of a client: http or https, no credentials in it, no address that is forbidden. */
  permits(written: string): boolean {
    const url = URL.canParse(written) ? new URL(written) : undefined
    if (url === undefined || !/^https?:$/.test(url.protocol) || written.length > 2048) return false
    if (url.username !== '' || url.password !== '') return false
    const address = addressIn(url)
    return address === undefined || this.#options.permits(address)
  }

  /** Rejects where there is no answer in time; with CallbackRefused where none will ever be. */
  async post(callback: Callback, signal: AbortSignal): Promise<CallbackAnswer> {
    if (!this.permits(callback.url)) throw new CallbackRefused(callback.url)
    const within = new AbortController() // AbortSignal.any() forgets its timeouts when memory is collected
    const stop = () => within.abort()
    const timer = setTimeout(stop, this.#options.timeoutMs)
    signal.addEventListener('abort', stop)
    try {
      if (signal.aborted) stop()
      return await this.#exchange(callback, within.signal)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    }
  }

  close(): void {
    this.#http.destroy()
    this.#https.destroy()
  }

  #exchange(callback: Callback, signal: AbortSignal): Promise<CallbackAnswer> {
    return new Promise((resolve, reject) => {
      const request = this.#request(callback, signal)
      request.on('error', reject)
      request.on('response', (response) => {
        discard(response, this.#options.timeoutMs)
        resolve({ status: response.statusCode ?? 0, retryAfter: secondsOf(response.headers['retry-after']) })
      })
      request.end(callback.body)
    })
  }

  #request({ url, type, body }: Callback, signal: AbortSignal): ClientRequest {
    const headers = { 'content-type': type, 'content-length': Buffer.byteLength(body), 'user-agent': 'parley' }
    const options = { method: 'POST', headers, signal, lookup: this.#lookup }
    const target = new URL(url)
    if (target.protocol === 'https:') return requestHttps(target, { ...options, agent: this.#https })
    return requestHttp(target, { ...options, agent: this.#http })
  }

  /** As `dns.lookup`, without the addresses that a callback must not go to. */
  #lookup = (hostname: string, options: LookupOptions, done: Looked): void => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return done(error, '')
      const permitted = found.filter(({ address }) => this.#options.permits(address))
      const [first] = permitted
      if (first === undefined)
        return done(new CallbackRefused(`${hostname} has no address that may be called back`), '')
      if (options.all === true) done(null, permitted)
      else done(null, first.address, first.family)
    })
  }
}

type Looked = (error: Error | null, address: string | LookupAddress[], family?: number) => void

function addressIn(url: URL): string | undefined {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return isIP(host) === 0 ? undefined : host
}

/** So that the connection can be used again, if that does not take long. */
function discard(response: IncomingMessage, withinMs: number): void {
  let left = mostAnswerBytes
  const timer = setTimeout(() => response.destroy(), withinMs)
  response.on('close', () => clearTimeout(timer))
  response.on('error', () => {}) // its status is known, the rest does not matter
  response.on('data', (piece: Buffer) => {
    left -= piece.length
    if (left < 0) response.destroy()
  })
}

const secondsOf = (header: string | undefined): number | undefined =>
  header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) : undefined
