import { setTimeout as sleep } from 'node:timers/promises'
import { domain } from '../bench-server.ts'
import type { LoadResult, Subscribed } from './load.ts'
import { SipLoad } from './sip-load.ts'

/** Somebody who is watched. */
interface Presentity {
  readonly number: number
  etag: string
  version: number
  cseq: number
  /** The newest version that each watcher has heard of. */
  readonly heard: Uint32Array
  missing: number
  began: number
  /** Since when it has rested: as long as the interval between two NOTIFY of Parley, so that none is put off. */
  restedSince: number
}

const subscribingAtOnce = 64
const restMs = 1_000
const patienceMs = 10_000
const noteMark = Buffer.from('<note>v')

/** Watchers who all watch the same users, and those users, who publish again as soon as everybody has heard of it. */
export class PresenceLoad {
  readonly #publisher: SipLoad
  readonly #sockets: readonly SipLoad[]
  readonly #watchers: number
  readonly #presentities: Presentity[] = []
  #times: number[] = []
  #counts = { notifies: 0, publishes: 0, failed: 0, again: 0 }
  #onDone: (presentity: Presentity) => void = () => {}

  /** Watchers share sockets by fives: the NOTIFY of one publication do not overflow one socket. */
  static async open(server: number, watchers: number): Promise<PresenceLoad> {
    const take: { onRequest: (head: string, bytes: Buffer) => void } = { onRequest: () => {} }
    const open = () => SipLoad.open(server, (head, bytes) => take.onRequest(head, bytes))
    const sockets = await Promise.all(Array.from({ length: Math.ceil(watchers / 5) }, open))
    const load = new PresenceLoad(await open(), sockets, watchers)
    take.onRequest = (head, bytes) => load.#notified(head, bytes)
    return load
  }

  private constructor(publisher: SipLoad, sockets: readonly SipLoad[], watchers: number) {
    this.#publisher = publisher
    this.#sockets = sockets
    this.#watchers = watchers
  }

  async subscribe(from: number, to: number): Promise<Subscribed> {
    const pairs: (readonly [presentity: number, watcher: number])[] = []
    for (let number = from; number < to; number++) {
      const heard = new Uint32Array(this.#watchers)
      const state = { etag: '', version: 0, cseq: 0, missing: 0, began: 0, restedSince: 0 }
      this.#presentities[number] = { number, heard, ...state }
      for (let watcher = 0; watcher < this.#watchers; watcher++) pairs.push([number, watcher])
    }
    const failures: string[] = []
    const next = pairs.values()
    await Promise.all(Array.from({ length: subscribingAtOnce }, () => this.#subscribeAll(next, failures)))
    return { subscribed: pairs.length - failures.length, failed: failures.length, failure: failures[0] ?? '' }
  }

  async publish(seconds: number, window: number): Promise<LoadResult> {
    this.#times = []
    this.#counts = { notifies: 0, publishes: 0, failed: 0, again: 0 }
    const cpu = process.cpuUsage()
    const began = performance.now()
    const resting = [...this.#presentities]
    this.#onDone = (presentity) => {
      presentity.restedSince = performance.now()
      resting.push(presentity)
    }
    const publishers = Array.from({ length: window }, () => this.#publishInTurn(resting, began + seconds * 1000))
    await Promise.all(publishers)
    const took = (performance.now() - began) / 1000
    const { user, system } = process.cpuUsage(cpu)
    const sorted = Float64Array.from(this.#times).sort()
    const at = (share: number) => Math.round(sorted[Math.floor(sorted.length * share)] ?? Number.NaN)
    const busy = Math.round((100 * (user + system)) / 1e6 / took) / 100
    return { seconds: took, ...this.#counts, p50Ms: at(0.5), p99Ms: at(0.99), busy }
  }

  close(): void {
    for (const socket of [this.#publisher, ...this.#sockets]) socket.close()
  }

  async #subscribeAll(
    pairs: IterableIterator<readonly [presentity: number, watcher: number]>,
    failures: string[],
  ): Promise<void> {
    for (const [presentity, watcher] of pairs) {
      const failure = await this.#subscribeOne(presentity, watcher)
      if (failure !== undefined) failures.push(failure)
    }
  }

  #subscribeOne(presentity: number, watcher: number): Promise<string | undefined> {
    const socket = this.#sockets[watcher % this.#sockets.length] as SipLoad
    const uri = `sip:bob${presentity + 1}@${domain}`
    const fields =
      `From: <sip:watcher${watcher + 1}@${domain}>;tag=w${watcher}p${presentity}\r\nTo: <${uri}>\r\n` +
      `Call-ID: w${watcher}p${presentity}x${socket.port}\r\nCSeq: 1 SUBSCRIBE\r\n` +
      `Contact: <sip:w${watcher}p${presentity}@127.0.0.1:${socket.port}>\r\n` +
      'Event: presence\r\nAccept: application/pidf+xml\r\nExpires: 3600\r\n'
    return new Promise((resolve) => {
      socket.request('SUBSCRIBE', uri, fields, '', (status, head) =>
        resolve(status >= 200 && status < 300 ? undefined : `${status} ${head.slice(0, 200)}`),
      )
    })
  }

  async #publishInTurn(resting: Presentity[], until: number): Promise<void> {
    while (performance.now() < until) {
      const next = resting.shift()
      const wait = next === undefined ? 5 : next.restedSince + restMs - performance.now()
      if (wait > 0) await sleep(wait)
      if (next === undefined) continue
      await this.#publishOne(next)
    }
  }

  /** Resolves when all watchers have heard of it, or when it has failed. */
  #publishOne(presentity: Presentity): Promise<void> {
    presentity.version++
    presentity.missing = this.#watchers + 1 // the answer to the PUBLISH is waited for as well
    presentity.began = performance.now()
    return new Promise((resolve) => {
      const late = setTimeout(() => this.#end(presentity, false), patienceMs)
      this.#ends.set(presentity, (held) => {
        clearTimeout(late)
        if (!held) this.#counts.failed++
        this.#onDone(presentity)
        resolve()
      })
      this.#sendPublish(presentity)
    })
  }

  readonly #ends = new Map<Presentity, (held: boolean) => void>()

  #end(presentity: Presentity, held: boolean): void {
    const end = this.#ends.get(presentity)
    this.#ends.delete(presentity)
    presentity.missing = 0
    end?.(held)
  }

  #sendPublish(presentity: Presentity): void {
    const { number, etag, version } = presentity
    const uri = `sip:bob${number + 1}@${domain}`
    const fields =
      `From: <${uri}>;tag=p${number}\r\nTo: <${uri}>\r\nCall-ID: p${number}x${this.#publisher.port}\r\n` +
      `CSeq: ${++presentity.cseq} PUBLISH\r\nEvent: presence\r\nExpires: 3600\r\n` +
      `${etag === '' ? '' : `SIP-If-Match: ${etag}\r\n`}Content-Type: application/pidf+xml\r\n`
    this.#counts.publishes++
    this.#publisher.request('PUBLISH', uri, fields, pidfOf(uri, version), (status, head) => {
      presentity.etag = /\r\nSIP-ETag: *(\S+)/i.exec(head)?.[1] ?? ''
      if (status !== 200) this.#end(presentity, false)
      else this.#oneLess(presentity)
    })
  }

  #notified(head: string, bytes: Buffer): void {
    const [, watcher = '', number = ''] = /^NOTIFY sip:w(\d+)p(\d+)@/.exec(head) ?? []
    const presentity = this.#presentities[Number(number)]
    const mark = bytes.indexOf(noteMark)
    if (presentity === undefined || mark < 0) return
    const version = Number.parseInt(bytes.toString('latin1', mark + noteMark.length, mark + noteMark.length + 9), 10)
    if (version <= (presentity.heard[Number(watcher)] ?? 0)) this.#counts.again++
    else {
      presentity.heard[Number(watcher)] = version
      this.#counts.notifies++
      if (version === presentity.version) this.#oneLess(presentity)
    }
  }

  #oneLess(presentity: Presentity): void {
    if (presentity.missing === 0 || --presentity.missing > 0) return
    this.#times.push(performance.now() - presentity.began)
    this.#end(presentity, true)
  }
}

const pidfOf = (entity: string, version: number): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${entity}">` +
  `<tuple id="phone"><status><basic>open</basic></status><contact priority="0.8">${entity}</contact>` +
  `<note>v${version}</note></tuple></presence>\n`
