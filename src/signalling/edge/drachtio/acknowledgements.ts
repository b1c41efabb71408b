import { readCSeq } from '../../../protocols/sip/cseq.ts'
import type { Headers } from '../../../protocols/sip/headers.ts'
import type { SipRequest, SipResponse } from '../../../protocols/sip/message.ts'
import { readNameAddr } from '../../../protocols/sip/name-addr.ts'
import type { Timer, TimerTarget, TimerWheel } from '../../../sip/timer-wheel.ts'
import { contentOf, ofTheDaemon } from './carried.ts'
import type { SrfAck } from './srf.ts'

/** As long as the far end repeats its 2xx, and the same again for an answer that takes its time (RFC 3261 §13.3.1.4). */
const keptMs = 64_000

class Waiting implements TimerTarget<'late'> {
  readonly ack: SrfAck
  readonly timer: Timer
  readonly #onLate: () => void
  constructor(ack: SrfAck, wheel: TimerWheel, onLate: () => void) {
    this.ack = ack
    this.#onLate = onLate
    this.timer = wheel.set(keptMs, this, 'late')
  }
  onTimer(): void {
    this.#onLate()
  }
}

/** The 2xx responses that wait for their ACK, which drachtio-srf sends for the response and not as a request. */
export class Acknowledgements {
  readonly #wheel: TimerWheel
  readonly #waiting = new Map<string, Waiting>()

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel
  }

  add({ headers }: SipResponse, ack: SrfAck): void {
    const key = keyOf(headers)
    this.#waiting.set(key, new Waiting(ack, this.#wheel, () => this.#waiting.delete(key)))
  }

  send(request: SipRequest): void {
    const key = keyOf(request.headers)
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) return
    this.#waiting.delete(key)
    this.#wheel.cancel(waiting.timer)
    try {
      waiting.ack(contentOf(request, left), () => {})
    } catch {
      // The connection it came over is gone, and with it the dialog.
    }
  }
}

const left = new Set([...ofTheDaemon, 'from', 'to', 'call-id', 'cseq', 'max-forwards'])

/** The far end is the same for all: the daemon knows no second branch of a fork. */
function keyOf(headers: Headers): string {
  const { number } = readCSeq(headers.get('cseq') ?? '')
  const from = readNameAddr(headers.get('from') ?? '').params.get('tag')
  return `${headers.get('call-id')} ${from} ${number}`
}
