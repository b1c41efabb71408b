import type { RtpEngine } from '../../../src/media/rtp/index.ts'
import { readSdp } from '../../../src/protocols/sdp/read-sdp.ts'
import type { MediaDescription } from '../../../src/protocols/sdp/session-description.ts'
import type { CallPorts } from './load.ts'

/** Offer and answer of one line: where each party has to send, for it to arrive at the other. */
export async function agreeOnPorts(engine: RtpEngine, { caller, callee }: CallPorts): Promise<CallPorts> {
  const line = await engine.open(() => {})
  const [offer, answer] = [description(caller), description(callee)]
  const offered = await line.offer('caller', offer.media[0] as MediaDescription, offer)
  const answered = await line.answer('callee', answer.media[0] as MediaDescription, answer)
  return { caller: answered.port, callee: offered.port }
}

const description = (port: number) =>
  readSdp(`v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio ${port} RTP/AVP 0\r\n`)
