import { hostPort, isTransport, type ListeningAddress, readHostPort } from '../../../sip/addresses.ts'
import { DaemonUnavailable } from './daemon-unavailable.ts'
import {
  disconnect,
  forget,
  newSrf,
  type SrfClient,
  type SrfError,
  type SrfRequest,
  type SrfResponse,
  type SrfSending,
} from './srf.ts'

export interface DaemonOptions {
  readonly host: string
  readonly port: number
  readonly secret: string
}

export interface DaemonLog {
  info(fields: object, note: string): void
  warn(fields: object, note: string): void
}

interface Needs extends DaemonOptions {
  readonly log: DaemonLog
  onRequest(req: SrfRequest, res: SrfResponse): void
  /** The connection is gone, and with it all that was under way. */
  onLost(): void
  /** There is a connection again. The daemon may be another one. */
  onBack(): void
}

/** What the daemon gives to somebody who asks for it; within dialogs it gives everything to whom the dialog belongs. */
const routed = ['message', 'register', 'options', 'subscribe', 'publish', 'notify', 'invite', 'refer', 'info', 'update']
const longestRetryMs = 2000

/** The connection to drachtio-server. drachtio-srf makes it again when it is lost. */
export class Daemon {
  readonly #needs: Needs
  readonly #srf: SrfClient = newSrf()
  #isConnected = false
  #isClosed = false
  #wasConnected = false
  #isNoted = false
  #addresses: readonly ListeningAddress[] = []

  constructor(needs: Needs) {
    this.#needs = needs
    const handle = (req: SrfRequest, res: SrfResponse) => needs.onRequest(req, res)
    this.#srf.use(handle)
    for (const method of routed) this.#srf.use(method, handle)
    this.#srf.on('error', (err: Error) => this.#note(err.message))
    this.#srf.on('close', () => this.#lost())
  }

  get isConnected(): boolean {
    return this.#isConnected
  }

  /** Where the daemon listens for SIP: as seen from outside, then as it is. */
  get addresses(): readonly ListeningAddress[] {
    return this.#addresses
  }

  /** Resolves at the first connection; rejects with DaemonUnavailable where there is none within the time. */
  connect(within: number): Promise<void> {
    const { host, port, secret } = this.#needs
    return new Promise((resolve, reject) => {
      const fail = (note: string) => {
        this.close()
        reject(new DaemonUnavailable(`${hostPort(host, port)}: ${note}`))
      }
      const timer = setTimeout(() => fail('no connection'), within)
      this.#srf.on('connect', (err, outside, _version, local) => {
        clearTimeout(timer)
        if (err) this.#refused(fail)
        else this.#connected(outside, local, resolve)
      })
      this.#srf.connect({ host, port, secret, reconnect: { retryMaxDelay: longestRetryMs } })
    })
  }

  /** Throws where there is no connection. `sent` is called when the daemon has taken the request or refused it. */
  request(sending: SrfSending, sent: (err: SrfError | null, req: SrfRequest) => void): void {
    this.#srf.request(sending.uri, sending, sent)
  }

  /** That request is waited for no more. */
  forget(req: SrfRequest): void {
    if (this.#isConnected) forget(this.#srf, req)
  }

  close(): void {
    this.#isClosed = true
    this.#isConnected = false
    if (this.#srf.app.client !== undefined) disconnect(this.#srf)
  }

  #connected(outside: unknown, local: unknown, resolve: () => void): void {
    if (this.#isClosed) return
    this.#addresses = [...readHostPorts(outside), ...readHostPorts(local)]
    this.#isConnected = true
    this.#isNoted = false
    this.#needs.log.info({ addresses: outside }, 'connected to drachtio-server')
    if (this.#wasConnected) this.#needs.onBack()
    this.#wasConnected = true
    resolve()
  }

  /** Of a daemon that took the secret before, it may be a mistake that is mended. */
  #refused(fail: (note: string) => void): void {
    if (this.#wasConnected) this.#note('it does not accept the secret any more')
    else fail('it does not accept the secret')
  }

  /** Once for each time that there is no connection, however often one is tried. */
  #note(problem: string): void {
    if (!this.#isClosed && !this.#isNoted) this.#needs.log.warn({ problem }, 'no connection to drachtio-server')
    this.#isNoted = true
  }

  #lost(): void {
    if (this.#isClosed || !this.#isConnected) return
    this.#isConnected = false
    this.#needs.log.warn({}, 'the connection to drachtio-server is lost')
    this.#needs.onLost()
  }
}

/** `udp/10.0.0.1:5060,tcp/10.0.0.1:5060` */
function readHostPorts(text: unknown): ListeningAddress[] {
  if (typeof text !== 'string') return []
  return text.split(',').flatMap((item) => {
    const [transport = '', where = ''] = item.split('/')
    const read = readHostPort(where)
    return isTransport(transport) && read !== undefined ? [{ transport, ...read }] : []
  })
}
