import type { SipRequest } from '../../protocols/sip/message.ts'
import { type Reason, writeReason } from '../../protocols/sip/reason.ts'
import type { Target } from '../addresses.ts'
import { DialogState } from './dialog-state.ts'
import type { StoredDialog } from './stored-dialog.ts'

/** Requests may have followed the row; the peer wants a number higher than all of them, whatever it is (RFC 3261 §12.2.2). */
const leap = 100_000

/** The BYE for a dialog of which only the row is left. */
export function byeFor(
  stored: StoredDialog,
  reason?: Reason,
): { readonly request: SipRequest; readonly target: Target } {
  const localSeq = Math.min(stored.localSeq + leap, 2 ** 31 - 2)
  const state = new DialogState({ ...stored, localSeq, localTag: '', remoteTag: '' })
  const headers = reason === undefined ? [] : [['Reason', writeReason(reason)] as const]
  return { request: state.request('BYE', { headers }), target: state.target }
}
