import { hash } from 'node:crypto'
import { cpimHeader, readCpim } from '../../protocols/cpim/cpim.ts'
import { MalformedCpim } from '../../protocols/cpim/malformed-cpim.ts'
import { imdnHeaders } from '../../protocols/imdn/imdn.ts'
import { decodeContent } from '../../protocols/mime/content-encoding.ts'
import { mediaType } from '../../protocols/mime/content-type.ts'
import { MalformedMime } from '../../protocols/mime/malformed-mime.ts'
import { readCSeq } from '../../protocols/sip/cseq.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'

/** What a body may grow to when it is decoded for looking inside. */
export const mostDecoded = 1_048_576

/** The header fields of RFC 5438 in a message: undefined where it is not message/cpim, or cannot be read. */
export interface ImdnFields {
  readonly messageId: string | undefined
  /** Such as `positive-delivery, negative-delivery, display`. */
  readonly asked: string
  readonly from: string | undefined
  readonly to: string | undefined
  readonly dateTime: string | undefined
}

export function readImdnFields(request: SipRequest): ImdnFields | undefined {
  if (mediaType(request.headers.get('content-type') ?? '') !== 'message/cpim') return undefined
  try {
    const cpim = readCpim(decodeContent(request.body, request.headers.get('content-encoding'), mostDecoded))
    return {
      messageId: cpimHeader(cpim, 'Message-ID', imdnHeaders),
      asked: cpimHeader(cpim, 'Disposition-Notification', imdnHeaders) ?? '',
      from: cpimHeader(cpim, 'From'),
      to: cpimHeader(cpim, 'To'),
      dateTime: cpimHeader(cpim, 'DateTime'),
    }
  } catch (error) {
    // What devices make of such a body is their business: it is relayed as it came.
    if (error instanceof MalformedCpim || error instanceof MalformedMime) return undefined
    throw error
  }
}

/**
 * The row id of a message (design §4): the sender with its imdn.Message-ID, else its Call-ID and CSeq. CSeq is the last 32
 * bits, so that a notification, which names a plain message by its Call-ID alone, finds it as well.
 */
export function rowIdOf(request: SipRequest, sender: string): string {
  const messageId = readImdnFields(request)?.messageId
  if (messageId !== undefined) return firstRowId(sender, messageId)
  const cseq = readCSeq(request.headers.get('cseq') ?? '')
  return prefixOf(sender, request.headers.get('call-id') ?? '') + cseq.number.toString(16).padStart(8, '0')
}

/** The lowest and the highest row id that a message of this sender and id may have. */
export const firstRowId = (sender: string, messageId: string): string => `${prefixOf(sender, messageId)}00000000`
export const lastRowId = (sender: string, messageId: string): string => `${prefixOf(sender, messageId)}ffffffff`

const prefixOf = (sender: string, messageId: string): string =>
  hash('sha256', `${sender}\n${messageId}`, 'hex').slice(0, 24)
