import { attribute, hasAttribute } from '../../protocols/sdp/attributes.ts'
import { readFileSelector } from '../../protocols/sdp/file-selector.ts'
import type { MediaDescription } from '../../protocols/sdp/session-description.ts'
import type { ExecutionModule, Verdict } from './execution-module.ts'
import type { MediaPolicy } from './media-policy.ts'
import { judgeMsrp, msrpAttributes } from './message-session.ts'
import { sizeExceeded } from './warnings.ts'

/** Files, pushed and pulled (RFC 5547). */
export const fileTransfer: ExecutionModule = {
  takes: (media) => media.media === 'message' && hasAttribute(media, 'file-selector'),
  kindOf: () => 'file-transfer',
  judge: judgeFile,
  ownAttributes: msrpAttributes,
}

function judgeFile(media: MediaDescription, _session: unknown, policy: MediaPolicy): Verdict {
  const fault = judgeMsrp(media)
  if (fault !== undefined) return fault
  const size = readFileSelector(attribute(media, 'file-selector') ?? '')?.size
  if (size !== undefined && size > (policy.maxFileSize ?? Infinity)) return { warning: sizeExceeded }
  return { media }
}
