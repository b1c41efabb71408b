import { Failure } from '../../failure.ts'
import { MalformedSdp } from '../../protocols/sdp/malformed-sdp.ts'
import { readSdp } from '../../protocols/sdp/read-sdp.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { descriptionIn } from './description.ts'

const nothing = Buffer.alloc(0)

/** The session description of a request; empty where there is none that could be taken. */
export function offerIn(message: SipRequest): Buffer {
  try {
    return descriptionIn(message)?.sdp ?? nothing
  } catch (err) {
    if (err instanceof Failure) return nothing
    throw err
  }
}

/** The calls that an offer asks for: of what else nobody answers there is nothing to tell. */
export function mediaIn(sdp: Buffer): ReadonlySet<'voice' | 'video'> {
  if (sdp.length === 0) return new Set()
  try {
    return new Set(readSdp(sdp).media.flatMap(({ media }) => kinds[media] ?? []))
  } catch (err) {
    if (err instanceof MalformedSdp) return new Set()
    throw err
  }
}

const kinds: Readonly<Record<string, 'voice' | 'video'>> = { audio: 'voice', video: 'video' }
