import { gunzipSync, inflateRawSync, inflateSync } from 'node:zlib'
import { MalformedMime } from './malformed-mime.ts'

/**
 * The body without its Content-Encoding (RFC 3261 §20.12; RFC 9110 §8.4.1), for looking inside; what is forwarded stays
 * as it came. `mostBytes` bounds what a bomb may grow to. Throws MalformedMime.
 */
export function decodeContent(body: Buffer, encoding: string | undefined, mostBytes: number): Buffer {
  const codings = (encoding ?? '').split(',').map((coding) => coding.trim().toLowerCase())
  if (codings.length > 2) throw new MalformedMime('too many encodings')
  // Applied in the order listed, so taken off from the end.
  return codings.reduceRight((bytes, coding) => decode(bytes, coding, mostBytes), body)
}

function decode(bytes: Buffer, coding: string, maxOutputLength: number): Buffer {
  try {
    if (coding === '' || coding === 'identity') return bytes
    if (coding === 'gzip' || coding === 'x-gzip') return gunzipSync(bytes, { maxOutputLength })
    if (coding === 'deflate') return inflate(bytes, maxOutputLength)
  } catch {
    throw new MalformedMime(`not ${coding}, or too much of it`)
  }
  throw new MalformedMime('unknown Content-Encoding')
}

/** `deflate` is the zlib format; some send the raw stream, without its two bytes of head. */
function inflate(bytes: Buffer, maxOutputLength: number): Buffer {
  const zlibHead = bytes.length >= 2 && ((bytes[0] as number) & 0x0f) === 8 && bytes.readUInt16BE(0) % 31 === 0
  return zlibHead ? inflateSync(bytes, { maxOutputLength }) : inflateRawSync(bytes, { maxOutputLength })
}
