import { onTestFinished } from 'vitest'
import type { RtpMedia, Side } from '../../../src/media/rtp/index.ts'
import { NgClient } from '../../../src/media/rtpengine/ng-client.ts'
import { Rtpengine } from '../../../src/media/rtpengine/rtpengine.ts'
import type { Dictionary } from '../../../src/protocols/bencode/bencode.ts'
import type { SessionDescription } from '../../../src/protocols/sdp/session-description.ts'
import { audioOf, RtpParty } from '../rtp/rtp-party.ts'

export interface RigOptions {
  readonly now?: () => number
}

/** An engine on the rtpengine at that port; closed with the test. */
export function openEngine(port: number, { now = Date.now }: RigOptions = {}): Rtpengine {
  const log = { warn: () => {} }
  const engine = new Rtpengine({
    ...{ host: '127.0.0.1', port, dscp: 46, maxSilence: 60_000, now, log },
  })
  onTestFinished(() => engine.close())
  return engine
}

let sources = 0

export async function openParty(): Promise<RtpParty> {
  const party = await RtpParty.open(++sources)
  onTestFinished(() => party.close())
  return party
}

/** A party at one side of a line, with the port that it was told. */
export interface Speaker {
  readonly party: RtpParty
  readonly port: number
}

/** Offer and answer: the lines that each party is told. */
export async function agree(
  line: RtpMedia,
  from: Side,
  offer: SessionDescription,
  answer: SessionDescription,
): Promise<{ offered: ReturnType<typeof audioOf>; answered: ReturnType<typeof audioOf> }> {
  const offered = await line.offer(from, audioOf(offer), offer)
  const answered = await line.answer(from === 'caller' ? 'callee' : 'caller', audioOf(answer), answer)
  return { offered, answered }
}

/** What rtpengine itself says, asked by somebody else. */
export async function ask(port: number, keys: Dictionary): Promise<Dictionary> {
  const client = new NgClient({ host: '127.0.0.1', port })
  try {
    return await client.request(keys)
  } finally {
    client.close()
  }
}

/** The calls that rtpengine has. */
export async function callsOf(port: number): Promise<readonly string[]> {
  return (await ask(port, { command: 'list', limit: 100 })).calls as readonly string[]
}
