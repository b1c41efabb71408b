import { readCpim } from '../../protocols/cpim/cpim.ts'
import { MalformedCpim } from '../../protocols/cpim/malformed-cpim.ts'
import { type Disposition, type Imdn, readImdn } from '../../protocols/imdn/imdn.ts'
import { MalformedImdn } from '../../protocols/imdn/malformed-imdn.ts'
import { decodeContent } from '../../protocols/mime/content-encoding.ts'
import { mediaType } from '../../protocols/mime/content-type.ts'
import { MalformedMime } from '../../protocols/mime/malformed-mime.ts'
import { readMultipart } from '../../protocols/mime/multipart.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { mostDecoded } from './message-id.ts'

/**
 * Whether a MESSAGE is a disposition notification (RFC 5438): by its content, never by a tag, since it may carry the tags
 * of the service that it is about. Bare message/imdn+xml as Linphone sends it, in message/cpim, or several in a multipart.
 */
export function isDispositionNotification(request: SipRequest): boolean {
  const contentType = request.headers.get('content-type')
  if (contentType === undefined) return false
  const type = mediaType(contentType)
  if (type === imdnType) return true
  if (type !== 'message/cpim' && !type.startsWith('multipart/')) return false
  const encoding = request.headers.get('content-encoding')
  if (encoding === undefined && !mentionsImdn(request.body)) return false
  return entitiesIn(request).length > 0
}

/** What a notification tells; empty when that cannot be read. */
export function readDispositions(request: SipRequest): Imdn[] {
  try {
    return entitiesIn(request).map((entity) => readImdn(entity))
  } catch (error) {
    if (error instanceof MalformedImdn) return []
    throw error
  }
}

/** The order in which the state of a message may move; only forward. */
export function rankOf({ kind, status }: Disposition): number {
  switch (kind) {
    case 'delivery':
      return status === 'delivered' ? 3 : 1
    case 'processing':
      return 2
    case 'display':
      return status === 'displayed' ? 5 : 4
  }
}

const imdnType = 'message/imdn+xml'
const mostNested = 3

const mentionsImdn = (body: Buffer): boolean => /imdn\+xml/i.test(body.toString('latin1'))

/** The imdn+xml documents of a notification. Empty for anything that is not a notification through and through. */
function entitiesIn({ headers, body }: SipRequest): Buffer[] {
  try {
    const found = entitiesOf(headers.get('content-type') ?? '', headers.get('content-encoding'), body, mostNested)
    return found ?? []
  } catch (error) {
    if (error instanceof MalformedCpim || error instanceof MalformedMime) return []
    throw error
  }
}

function entitiesOf(
  contentType: string,
  encoding: string | undefined,
  body: Buffer,
  depth: number,
): Buffer[] | undefined {
  if (depth === 0) return undefined
  const type = mediaType(contentType)
  const isCpim = type === 'message/cpim'
  if (type !== imdnType && !isCpim && !type.startsWith('multipart/')) return undefined
  const plain = decodeContent(body, encoding, mostDecoded)
  if (type === imdnType) return [plain]
  if (isCpim) {
    const { content, body: inner } = readCpim(plain)
    return entitiesOf(content.get('content-type') ?? '', content.get('content-encoding'), inner, depth - 1)
  }
  const entities: Buffer[] = []
  for (const part of readMultipart(plain, contentType)) {
    const inner = entitiesOf(
      part.headers.get('content-type') ?? '',
      part.headers.get('content-encoding'),
      part.body,
      depth - 1,
    )
    if (inner === undefined) return undefined
    entities.push(...inner)
  }
  return entities
}
