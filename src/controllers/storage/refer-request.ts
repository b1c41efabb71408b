import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { type ReferTo, readReferTo } from '../../protocols/sip/refer-to.ts'
import { readReplaces } from '../../protocols/sip/replaces.ts'
import { readTargetDialog } from '../../protocols/sip/target-dialog.ts'

/** A dialog with the tags as this server has them. */
export interface NamedDialog {
  readonly callId: string
  readonly localTag: string
  readonly remoteTag: string
}

/** A REFER to the storage controller. */
export interface ReferRequest {
  readonly asks: 'record' | 'stop'
  readonly to: ReferTo
  /** What it names the session by; none: that of the dialog it came in. */
  readonly dialog: NamedDialog | undefined
  readonly contributionId: string | undefined
  /** RFC 4488: whether the sender is to be told what comes of it. */
  readonly subscribes: boolean
}

/** Throws MalformedSip. */
export function readRefer({ headers }: SipRequest): ReferRequest {
  const to = readReferTo(headers.all('refer-to'))
  if (to.method !== 'INVITE' && to.method !== 'BYE') throw new MalformedSip('Refer-To asks for another method')
  return {
    asks: to.method === 'BYE' ? 'stop' : 'record',
    to,
    dialog: dialogNamed(to, headers.get('target-dialog')),
    contributionId: to.header('contribution-id') ?? headers.get('contribution-id'),
    subscribes: headers.get('refer-sub')?.trim().toLowerCase() !== 'false',
  }
}

function dialogNamed(to: ReferTo, targetDialog: string | undefined): NamedDialog | undefined {
  const replaces = to.header('replaces')
  if (replaces !== undefined) {
    const { callId, toTag, fromTag } = readReplaces(replaces)
    return { callId, localTag: toTag, remoteTag: fromTag }
  }
  if (targetDialog === undefined) return undefined
  const { callId, localTag, remoteTag } = readTargetDialog(targetDialog)
  return { callId, localTag: remoteTag, remoteTag: localTag }
}
