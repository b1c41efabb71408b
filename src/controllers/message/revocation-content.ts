import { Failure } from '../../failure.ts'
import { writeCpim } from '../../protocols/cpim/cpim.ts'
import { imdnHeaders } from '../../protocols/imdn/imdn.ts'
import { MalformedRevocation } from '../../protocols/rcs-revoke/malformed-revocation.ts'
import {
  type Revocation,
  readRevocation,
  revocationType,
  writeRevocation,
} from '../../protocols/rcs-revoke/revocation.ts'
import { writeSipDate } from '../../protocols/sip/date.ts'
import { Headers } from '../../protocols/sip/headers.ts'
import { SipRequest } from '../../protocols/sip/message.ts'
import { contentIn } from './plain-content.ts'

/** Whether a MESSAGE revokes another one, or tells what came of that: by its content, in message/cpim or as it is. */
export function isRevocation(request: SipRequest): boolean {
  if (!request.body.includes('evoke') && !request.headers.has('content-encoding')) return false
  return contentIn(request)?.type === revocationType
}

/** Throws Failure('malformed'). */
export function readRevocationIn(request: SipRequest): Revocation {
  try {
    return readRevocation(contentIn(request)?.body ?? Buffer.alloc(0))
  } catch (err) {
    if (err instanceof MalformedRevocation) throw new Failure('malformed', err.message, { cause: err })
    throw err
  }
}

interface Answer {
  /** The MESSAGE that revoked. */
  readonly request: SipRequest
  readonly revocation: Required<Revocation>
  readonly sender: string
  readonly recipient: string
  readonly now: number
  readonly id: string
  readonly host: string
}

/** What came of a revocation, in the name of whom the message was for, as clients look for it in that conversation. */
export function revocationAnswer({ request, revocation, sender, recipient, now, id, host }: Answer): SipRequest {
  const headers = new Headers([
    ['From', `<${recipient}>;tag=${id.slice(0, 16)}`],
    ['To', `<${sender}>`],
    ['Call-ID', `${id}@${host}`],
    ['CSeq', '1 MESSAGE'],
    ['Max-Forwards', '70'],
    ['Date', writeSipDate(now)],
  ])
  for (const name of ['Conversation-ID', 'Contribution-ID', 'Accept-Contact', 'P-Asserted-Service']) {
    for (const value of request.headers.all(name.toLowerCase())) headers.add(name, value)
  }
  headers.add('Content-Type', 'message/cpim')
  const body = writeCpim(
    {
      headers: [
        { namespace: '', name: 'From', value: `<${recipient}>` },
        { namespace: '', name: 'To', value: `<${sender}>` },
        { namespace: '', name: 'DateTime', value: new Date(now).toISOString() },
        { namespace: imdnHeaders, name: 'Message-ID', value: id },
      ],
      content: new Map([['content-type', revocationType]]),
      body: writeRevocation(revocation),
    },
    new Map([[imdnHeaders, 'imdn']]),
  )
  return new SipRequest('MESSAGE', sender, headers, body)
}
