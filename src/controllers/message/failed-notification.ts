import { writeCpim } from '../../protocols/cpim/cpim.ts'
import { imdnHeaders, writeImdn } from '../../protocols/imdn/imdn.ts'
import { writeSipDate } from '../../protocols/sip/date.ts'
import { Headers } from '../../protocols/sip/headers.ts'
import { SipRequest } from '../../protocols/sip/message.ts'
import { isDispositionNotification } from './disposition-notification.ts'
import { readImdnFields } from './message-id.ts'

export interface FailedNotificationOptions {
  /** The message that was not delivered. */
  readonly request: SipRequest
  /** Who sent it. */
  readonly sender: string
  /** Whom it was for. */
  readonly recipient: string
  readonly now: number
  /** Names the notification: the same when it is sent again after a crash. */
  readonly id: string
  readonly host: string
}

/** Whether the sender asked to be told when a message fails (RFC 5438 §6.2). Never so for a notification. */
export function asksForFailure(request: SipRequest): boolean {
  const asked = readImdnFields(request)?.asked ?? ''
  return /(?:^|[,\s])negative-delivery(?:$|[,;\s])/i.test(asked) && !isDispositionNotification(request)
}

/** Header fields by which the sender's client finds the conversation again. */
const ofConversation = ['conversation-id', 'contribution-id', 'accept-contact', 'p-asserted-service']
const writtenAs: Readonly<Record<string, string>> = {
  'conversation-id': 'Conversation-ID',
  'contribution-id': 'Contribution-ID',
  'accept-contact': 'Accept-Contact',
  'p-asserted-service': 'P-Asserted-Service',
}

/**
 * A `failed` notification (RFC 5438 §7.2.1), in the recipient's name: clients look for it in the conversation with them.
 * The server's own name is in P-Asserted-Identity.
 */
export function failedNotification(options: FailedNotificationOptions): SipRequest {
  const { request, sender, recipient, now, id, host } = options
  const headers = new Headers([
    ['From', `<${recipient}>;tag=${id.slice(0, 16)}`],
    ['To', `<${sender}>`],
    ['Call-ID', `${id}@${host}`],
    ['CSeq', '1 MESSAGE'],
    ['Max-Forwards', '70'],
    ['Date', writeSipDate(now)],
  ])
  for (const name of ofConversation) {
    for (const value of request.headers.all(name)) headers.add(writtenAs[name] as string, value)
  }
  headers.add('Content-Type', 'message/cpim')
  return new SipRequest('MESSAGE', sender, headers, bodyOf(options))
}

function bodyOf({ request, sender, recipient, now, id }: FailedNotificationOptions): Buffer {
  const original = readImdnFields(request)
  const at = new Date(now).toISOString()
  return writeCpim(
    {
      headers: [
        { namespace: '', name: 'From', value: original?.to ?? `<${recipient}>` },
        { namespace: '', name: 'To', value: original?.from ?? `<${sender}>` },
        { namespace: '', name: 'DateTime', value: at },
        { namespace: imdnHeaders, name: 'Message-ID', value: id },
      ],
      content: new Map([
        ['content-type', 'message/imdn+xml'],
        ['content-disposition', 'notification'],
      ]),
      body: writeImdn({
        messageId: original?.messageId ?? request.headers.get('call-id') ?? '',
        datetime: original?.dateTime ?? at,
        recipientUri: recipient,
        originalRecipientUri: recipient,
        disposition: { kind: 'delivery', status: 'failed' },
      }),
    },
    new Map([[imdnHeaders, 'imdn']]),
  )
}
