import { isMsrp, readMsrpMedia, withMsrpMedia } from '../../protocols/sdp/msrp-media.ts'
import type { MediaDescription } from '../../protocols/sdp/session-description.ts'
import type { ExecutionModule, Verdict } from './execution-module.ts'
import { lower, type MediaPolicy } from './media-policy.ts'
import { incompatibleTransport, missingAttribute } from './warnings.ts'

/** What belongs to one end of an MSRP session (RFC 4975 §8, RFC 6135, RFC 6714, RFC 8122, RFC 8842). */
export const msrpAttributes = ['path', 'setup', 'connection', 'fingerprint', 'tls-id', 'msrp-cema']

/** Chat and large messages: MSRP (RFC 4975). */
export const messageSession: ExecutionModule = {
  takes: ({ media }) => media === 'message',
  kindOf: () => 'message-session',
  judge: judgeMessageSession,
  ownAttributes: msrpAttributes,
}

function judgeMessageSession(media: MediaDescription, _session: unknown, policy: MediaPolicy): Verdict {
  const fault = judgeMsrp(media)
  if (fault !== undefined) return fault
  const { maxSize } = readMsrpMedia(media)
  const limit = lower(maxSize, policy.maxMessageSize)
  return { media: limit === maxSize ? media : withMsrpMedia(media, { maxSize: limit }) }
}

/** Why an m=message line is no MSRP that can be had; undefined when it is. */
export function judgeMsrp(media: MediaDescription): Verdict | undefined {
  if (!isMsrp(media)) return { warning: incompatibleTransport(media.media, media.protocol) }
  if (readMsrpMedia(media).path.length === 0) return { warning: missingAttribute(media.media, 'path') }
  return undefined
}
