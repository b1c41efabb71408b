import { methods } from '../../protocols/sip/methods.ts'
import { Histogram } from './histogram.ts'

/** The statuses a network has dashboards for; a peer's private one counts as its class (`4xx`). */
const statuses = [
  200, 202, 204, 300, 301, 302, 305, 380, 400, 401, 402, 403, 404, 405, 406, 407, 408, 410, 412, 413, 414, 415, 416,
  417, 420, 421, 422, 423, 424, 428, 429, 430, 433, 436, 437, 438, 439, 440, 469, 470, 480, 481, 482, 483, 484, 485,
  486, 487, 488, 489, 491, 493, 494, 500, 501, 502, 503, 504, 505, 513, 555, 580, 600, 603, 604, 606, 607, 608,
]
/** Columns: one for each known status, then one for each class 0xx to 6xx; 0xx is all that is no status. */
const columns = statuses.map(String).concat(['none', '1xx', '2xx', '3xx', '4xx', '5xx', '6xx'])
const columnOf = new Uint8Array(700).map((_, status) => {
  const known = statuses.indexOf(status)
  return known === -1 ? statuses.length + Math.floor(status / 100) : known
})

const bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 32]

interface OfMethod {
  readonly answers: Float64Array
  readonly seconds: Histogram
}

/** Requests by method and status, and the time to the final response by method. */
export class RequestSeries {
  readonly #ofMethods = new Map<string, OfMethod>()
  readonly #other: OfMethod = newOfMethod()

  constructor() {
    for (const method of methods) this.#ofMethods.set(method, newOfMethod())
  }

  count(method: string, status: number, seconds: number): void {
    const series = this.#ofMethods.get(method) ?? this.#other
    const column = columnOf[status] ?? statuses.length
    series.answers[column] = (series.answers[column] as number) + 1
    series.seconds.observe(seconds)
  }

  toText(): string {
    const seen = [...this.#ofMethods, ['other', this.#other] as const].filter(([, { answers }]) =>
      answers.some(Boolean),
    )
    return [
      '# HELP parley_sip_requests_total SIP requests answered, by method and final status\n',
      '# TYPE parley_sip_requests_total counter\n',
      ...seen.map(([method, { answers }]) => answersText(method, answers)),
      '# HELP parley_sip_request_seconds Time from a SIP request to its final response\n',
      '# TYPE parley_sip_request_seconds histogram\n',
      ...seen.map(([method, { seconds }]) => seconds.toText('parley_sip_request_seconds', `method="${method}"`)),
    ].join('')
  }
}

function newOfMethod(): OfMethod {
  return { answers: new Float64Array(columns.length), seconds: new Histogram(bounds) }
}

function answersText(method: string, answers: Float64Array): string {
  let text = ''
  for (const [at, column] of columns.entries()) {
    if (answers[at]) text += `parley_sip_requests_total{method="${method}",status="${column}"} ${answers[at]}\n`
  }
  return text
}
