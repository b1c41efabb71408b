import { randomUUID } from 'node:crypto'
import type { HeaderFields, Phone } from './phone.ts'
import type { PhoneDialog } from './phone-call.ts'
import type { SipText } from './sip-text.ts'

export interface Referred {
  readonly response: SipText
  /** The next NOTIFY that tells what comes of it: its state, and its body. */
  notify(): Promise<readonly [state: string, line: string]>
}

const told = (notify: SipText): readonly [string, string] => [
  notify.header('Subscription-State') ?? '',
  notify.text.trim(),
]

/** A REFER outside of any dialog. */
export async function refer(phone: Phone, uri: string, referTo: string, headers: HeaderFields = {}): Promise<Referred> {
  const callId = randomUUID()
  const response = await phone.request('REFER', uri, {
    headers: { 'Call-ID': callId, Contact: `<${phone.contact}>`, 'Refer-To': referTo, ...headers },
  })
  const notify = async () => told(await phone.receive('NOTIFY', (one) => one.header('Call-ID') === callId))
  return { response, notify }
}

/** A REFER in the dialog of a session. */
export async function referIn(dialog: PhoneDialog, referTo: string, headers: HeaderFields = {}): Promise<Referred> {
  const response = await dialog.request('REFER', { headers: { 'Refer-To': referTo, ...headers } })
  return { response, notify: async () => told(await dialog.receive('NOTIFY')) }
}
