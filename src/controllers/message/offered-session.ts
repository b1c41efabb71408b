import { Failure } from '../../failure.ts'
import { mediaType, readContentType } from '../../protocols/mime/content-type.ts'
import { MalformedMime } from '../../protocols/mime/malformed-mime.ts'
import { readMultipart } from '../../protocols/mime/multipart.ts'
import { attribute } from '../../protocols/sdp/attributes.ts'
import { readFileSelector } from '../../protocols/sdp/file-selector.ts'
import { MalformedSdp } from '../../protocols/sdp/malformed-sdp.ts'
import { readSdp } from '../../protocols/sdp/read-sdp.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'

/** The session description that an INVITE offers, alone or a part of its body (RFC 5621 §3). Throws Failure. */
export function offerIn({ headers, body }: SipRequest): Buffer {
  const contentType = headers.get('content-type') ?? 'application/sdp'
  const type = mediaType(contentType)
  if (type === 'application/sdp' && body.length > 0) return body
  const part = type.startsWith('multipart/') ? sdpPart(body, contentType) : undefined
  if (part === undefined) throw new Failure('unsupported-content', 'no session description')
  return part
}

function sdpPart(body: Buffer, contentType: string): Buffer | undefined {
  try {
    const isSdp = (value = '') => readContentType(value).type === 'application/sdp'
    return readMultipart(body, contentType).find(({ headers }) => isSdp(headers.get('content-type')))?.body
  } catch (err) {
    if (err instanceof MalformedMime) throw new Failure('malformed', err.message, { cause: err })
    throw err
  }
}

/** Warning 133 is what RCS clients know. */
const warnings = [{ code: 133, text: 'Size exceeded' }]

/**
 * Throws Failure('size-exceeded') when the message is said to be larger: by the size in its file-selector (RFC 5547 §6).
 * a=max-size says what the sender would take, not what it sends (RFC 4975 §8.6).
 */
export function checkOfferedSize(offer: Buffer, most: number): void {
  const size = sizeIn(offer)
  if (size !== undefined && size > most) throw new Failure('size-exceeded', `${size} bytes`, { warnings })
}

/** Undefined where it is not said; what is wrong with a description others tell better. */
function sizeIn(offer: Buffer): number | undefined {
  try {
    const { media } = readSdp(offer)
    const selectors = media.map((one) => readFileSelector(attribute(one, 'file-selector') ?? ''))
    return selectors.find((selector) => selector?.size !== undefined)?.size
  } catch (err) {
    if (err instanceof MalformedSdp) return undefined
    throw err
  }
}
