let second = Number.NaN
let written = ''

/** The value of Date (RFC 3261 §20.17: RFC 1123, always GMT). */
export function writeSipDate(ms: number): string {
  const now = Math.floor(ms / 1000)
  if (now !== second) {
    second = now
    written = new Date(ms).toUTCString()
  }
  return written
}

const dates =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/i

/** The time in milliseconds that a Date names, or undefined when it does not follow its grammar. */
export function readSipDate(value: string): number | undefined {
  if (!dates.test(value)) return undefined
  const ms = Date.parse(value)
  return Number.isNaN(ms) ? undefined : ms
}
