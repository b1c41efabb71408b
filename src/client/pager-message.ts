import { decodeContent } from '../protocols/mime/content-encoding.ts'
import { MalformedMime } from '../protocols/mime/malformed-mime.ts'
import type { SipRequest } from '../protocols/sip/message.ts'
import { type Content, readContent } from './content.ts'
import { senderOf } from './sender.ts'

/** Bodies are inflated up to this. */
const mostBytes = 1024 * 1024

/** Takes a MESSAGE apart. Undefined when its body cannot be read. */
export function readPagerMessage({ headers, body }: SipRequest): Content | undefined {
  const inflated = inflate(body, headers.get('content-encoding'))
  if (inflated === undefined) return undefined
  return readContent({
    from: senderOf(headers),
    contentType: headers.get('content-type') ?? 'text/plain',
    body: inflated,
    id: headers.get('call-id') ?? '',
    date: headers.get('date'),
  })
}

function inflate(body: Buffer, encoding: string | undefined): Buffer | undefined {
  try {
    return decodeContent(body, encoding, mostBytes)
  } catch (err) {
    if (err instanceof MalformedMime) return undefined
    throw err
  }
}
