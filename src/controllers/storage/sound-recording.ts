import { MalformedRtp } from '../../protocols/rtp/malformed-rtp.ts'
import { type RtpPacket, readRtp } from '../../protocols/rtp/rtp-packet.ts'
import { type G711, samplesOf } from '../../protocols/wav/g711.ts'
import type { Side, SoundTap } from './needs.ts'
import { SoundFile, soundFormat } from './sound-file.ts'
import { StereoTimeline } from './stereo-timeline.ts'

export interface SoundNeeds {
  readonly folder: string
  readonly now: () => number
  /** Milliseconds. */
  readonly longest: number
}

const framesPerMs = soundFormat.rate / 1000
/** What comes later than this is lost, as it would be to a listener. */
const lag = 500 * framesPerMs
const batch = 1000 * framesPerMs
const window = 4000 * framesPerMs
/** Time stamps that differ more from the clock than this begin anew: a party was on hold, or another device goes on. */
const drift = 1000 * framesPerMs

/** Where the packets of a party belong. */
interface Place {
  readonly ssrc: number
  readonly timestamp: number
  readonly position: number
}

const noLaws: ReadonlyMap<number, G711> = new Map()

/** The sound of a call from one moment on: G.711 of both parties, as WAV with the caller in the left channel. */
export class SoundRecording implements SoundTap {
  readonly #needs: SoundNeeds
  readonly #file: SoundFile
  readonly #timeline = new StereoTimeline(window)
  readonly #begun: number
  #laws: Readonly<Record<Side, ReadonlyMap<number, G711>>> = { caller: noLaws, callee: noLaws }
  readonly #places: Partial<Record<Side, Place>> = {}

  constructor(needs: SoundNeeds) {
    this.#needs = needs
    this.#file = new SoundFile(needs.folder)
    this.#begun = needs.now()
  }

  formats(formats: Readonly<Record<Side, ReadonlyMap<number, G711>>>): void {
    this.#laws = formats
  }

  packet(from: Side, bytes: Buffer): void {
    const packet = readQuietly(bytes)
    const law = packet && this.#laws[from].get(packet.payloadType)
    const now = this.#position
    if (packet === undefined || law === undefined || now >= this.#most) return
    if (now - lag - this.#timeline.start >= batch) this.#write(now - lag)
    const channel = from === 'caller' ? 0 : 1
    this.#timeline.put(channel, this.#positionOf(from, packet, now), packet.payload, samplesOf(law))
  }

  /** What was heard, as WAV. */
  async finish(): Promise<() => AsyncIterable<Buffer>> {
    const end = Math.min(this.#position, this.#most)
    this.#write(end)
    return await this.#file.finish(end)
  }

  remove(): Promise<void> {
    return this.#file.remove()
  }

  #write(upTo: number): void {
    const part = this.#timeline.takeUpTo(upTo)
    if (part !== undefined) this.#file.write(part)
  }

  /** By its time stamp, counted from the first packet of its source (RFC 3550 §5.1). */
  #positionOf(from: Side, { ssrc, timestamp }: RtpPacket, now: number): number {
    const known = this.#places[from]
    if (known !== undefined && known.ssrc === ssrc) {
      const position = known.position + ((timestamp - known.timestamp) | 0)
      if (Math.abs(position - now) <= drift) return position
    }
    this.#places[from] = { ssrc, timestamp, position: now }
    return now
  }

  get #position(): number {
    return Math.floor((this.#needs.now() - this.#begun) * framesPerMs)
  }

  get #most(): number {
    return this.#needs.longest * framesPerMs
  }
}

function readQuietly(bytes: Buffer): RtpPacket | undefined {
  try {
    return readRtp(bytes)
  } catch (err) {
    if (err instanceof MalformedRtp) return undefined
    throw err
  }
}
