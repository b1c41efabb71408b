import { readCpim } from '../../protocols/cpim/cpim.ts'
import { MalformedCpim } from '../../protocols/cpim/malformed-cpim.ts'
import { decodeContent } from '../../protocols/mime/content-encoding.ts'
import { mediaType } from '../../protocols/mime/content-type.ts'
import { MalformedMime } from '../../protocols/mime/malformed-mime.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { mostDecoded } from './message-id.ts'

/** What a MESSAGE says, out of its message/cpim and decoded; undefined where it cannot be read. */
export function contentIn({ headers, body }: SipRequest): { readonly type: string; readonly body: Buffer } | undefined {
  const type = mediaType(headers.get('content-type') ?? '')
  try {
    const plain = decodeContent(body, headers.get('content-encoding'), mostDecoded)
    if (type !== 'message/cpim') return { type, body: plain }
    const { content, body: inner } = readCpim(plain)
    const encoding = content.get('content-encoding')
    return { type: mediaType(content.get('content-type') ?? ''), body: decodeContent(inner, encoding, mostDecoded) }
  } catch (err) {
    if (err instanceof MalformedCpim || err instanceof MalformedMime) return undefined
    throw err
  }
}
