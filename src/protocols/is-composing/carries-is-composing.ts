import { readCpim } from '../cpim/cpim.ts'
import { MalformedCpim } from '../cpim/malformed-cpim.ts'
import { mediaType } from '../mime/content-type.ts'
import { isComposingType } from './is-composing.ts'

/** Whether a message only tells that its sender is typing (RFC 3994): as it is, or in message/cpim. */
export function carriesIsComposing(contentType: string, body: Buffer): boolean {
  const type = mediaType(contentType)
  if (type !== 'message/cpim') return type === isComposingType
  try {
    return mediaType(readCpim(body).content.get('content-type') ?? '') === isComposingType
  } catch (err) {
    if (err instanceof MalformedCpim) return false
    throw err
  }
}
