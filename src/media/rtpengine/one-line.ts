import { withoutAttributes } from '../../protocols/sdp/attributes.ts'
import { readSdp } from '../../protocols/sdp/read-sdp.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import { sdpText } from '../../protocols/sdp/write-sdp.ts'

/** A session description with one of its m= lines alone: each line is a call of its own for rtpengine. */
export function writeOneLine(media: MediaDescription, session: SessionDescription): string {
  return sdpText({ ...withoutAttributes(session, 'group'), media: [media] })
}

/** The m= line of such a description, with its own c=. Throws MalformedSdp. */
export function readOneLine(text: string): MediaDescription | undefined {
  const { media, connection } = readSdp(text)
  const [line] = media
  return line && { ...line, connection: line.connection ?? connection }
}
