import type { Headers } from '../protocols/sip/headers.ts'
import { readNameAddr } from '../protocols/sip/name-addr.ts'

/** Who the server says that a request is from, else who says so itself (RFC 3325 §9.1). */
export const senderOf = (headers: Headers): string =>
  readNameAddr(headers.get('p-asserted-identity') ?? headers.get('from') ?? '').uri
