import { MalformedSip } from './malformed-sip.ts'
import { readParams } from './params.ts'

/** Target-Dialog (RFC 4538 §7): a dialog between the sender and the receiver, its tags as the sender has them. */
export interface TargetDialog {
  readonly callId: string
  readonly localTag: string
  readonly remoteTag: string
}

/** Throws MalformedSip where a tag is missing. */
export function readTargetDialog(value: string): TargetDialog {
  const end = value.indexOf(';')
  const params = end === -1 ? undefined : readParams(value, end)
  const [localTag, remoteTag] = [params?.get('local-tag'), params?.get('remote-tag')]
  const callId = value.slice(0, Math.max(end, 0)).trim()
  if (callId === '' || localTag === undefined || remoteTag === undefined)
    throw new MalformedSip('Target-Dialog names no dialog')
  return { callId, localTag, remoteTag }
}
