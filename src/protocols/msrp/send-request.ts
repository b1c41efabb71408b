import { type ByteRange, readByteRange, wholeMessage } from './byte-range.ts'
import type { FrameHead } from './frame.ts'
import { MalformedMsrp } from './malformed-msrp.ts'

export type FailureReport = 'yes' | 'no' | 'partial'

/** What the fields of a SEND or REPORT mean (RFC 4975 §7.1.1, §7.1.2). */
export interface MessageFields {
  readonly messageId: string
  readonly range: ByteRange
}

/** Which message this is about, and which bytes of it. Throws MalformedMsrp. */
export function readMessageFields(head: FrameHead): MessageFields {
  const messageId = head.field('message-id')
  if (messageId === undefined || !/^[!-~]{1,128}$/.test(messageId)) throw new MalformedMsrp('no Message-ID')
  return { messageId, range: readRangeOf(head) }
}

/** Throws MalformedMsrp. */
export function readRangeOf(head: FrameHead): ByteRange {
  const range = head.field('byte-range')
  return range === undefined ? wholeMessage : readByteRange(range)
}

/** Whether the sender wants to hear that all came (RFC 4975 §7.1.3). Without the field it does not. */
export function wantsSuccessReport(head: FrameHead): boolean {
  return head.field('success-report')?.toLowerCase() === 'yes'
}

/** `no`: neither responses nor reports; `partial`: only those of failure (RFC 4975 §7.1.4). Anything else is `yes`. */
export function failureReportOf(head: FrameHead): FailureReport {
  const value = head.field('failure-report')?.toLowerCase()
  return value === 'no' || value === 'partial' ? value : 'yes'
}
