import { MalformedSip } from './malformed-sip.ts'
import { readParams } from './params.ts'

/** Replaces (RFC 3891 §6.1): the dialog to be replaced, with the tags as its receiver has them: `toTag` is the local one. */
export interface Replaces {
  readonly callId: string
  readonly toTag: string
  readonly fromTag: string
  readonly earlyOnly: boolean
}

/** Throws MalformedSip where a tag is missing. */
export function readReplaces(value: string): Replaces {
  const end = value.indexOf(';')
  const params = end === -1 ? undefined : readParams(value, end)
  const toTag = params?.get('to-tag')
  const fromTag = params?.get('from-tag')
  const callId = value.slice(0, Math.max(end, 0)).trim()
  if (callId === '' || toTag === undefined || fromTag === undefined) throw new MalformedSip('Replaces names no dialog')
  return { callId, toTag, fromTag, earlyOnly: params?.has('early-only') === true }
}

export function writeReplaces({ callId, toTag, fromTag, earlyOnly }: Replaces): string {
  return `${callId};to-tag=${toTag};from-tag=${fromTag}${earlyOnly ? ';early-only' : ''}`
}
