/** The line between two messages (RFC 4155 Appendix A): an address without spaces, and a time in UTC as asctime writes it. */
export function writeFromLine(address: string, at: number): string {
  const [day, date, month, year, time] = new Date(at).toUTCString().split(/,? /)
  return `From ${address.replace(/[^!-~]/g, '') || 'MAILER-DAEMON'} ${day} ${month} ${String(Number(date)).padStart(2)} ${time} ${year}\n`
}

const from = Buffer.from('From ')
const quote = 0x3e
const newline = 0x0a

/** Whether a message begins after this line. */
export const isFromLine = (line: Buffer): boolean =>
  line.subarray(0, 5).equals(from) && /^From \S.*\d{4}(?: [+-]\d{4})?\r?$/.test(line.toString('latin1', 0, 1000))

/** What looks like such a line, quoted or not, gets one more `>` (mboxrd), so that taking one off gives what there was. */
export function quoteLines(text: Buffer): Buffer {
  if (!text.includes(from)) return text
  const pieces: Buffer[] = []
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf(newline, at)
    const line = text.subarray(at, end === -1 ? text.length : end + 1)
    if (looksQuotable(line)) pieces.push(Buffer.of(quote))
    pieces.push(line)
    at += line.length
  }
  return Buffer.concat(pieces)
}

export const unquoteLine = (line: Buffer): Buffer =>
  line[0] === quote && looksQuotable(line) ? line.subarray(1) : line

function looksQuotable(line: Buffer): boolean {
  let at = 0
  while (line[at] === quote) at++
  return line.subarray(at, at + from.length).equals(from)
}
