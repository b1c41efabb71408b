import { rm } from 'node:fs/promises'
import { Failure } from '../../failure.ts'
import type { RecordedSound } from './kept-objects.ts'
import type { Side, SoundTap } from './needs.ts'
import { SoundRecording } from './sound-recording.ts'

export interface SoundRecordingsNeeds {
  /** Of this node alone: what is left there from another life is of no use. */
  readonly folder: string
  readonly now: () => number
  /** Milliseconds of one. */
  readonly longest: number
  readonly limit: number
}

/** The recordings of sound that are under way, by session and party. */
export class SoundRecordings {
  readonly #needs: SoundRecordingsNeeds
  readonly #recordings = new Map<object, Map<Side, SoundRecording>>()
  #inUse = 0
  #peak = 0

  constructor(needs: SoundRecordingsNeeds) {
    this.#needs = needs
  }

  get inUse(): number {
    return this.#inUse
  }

  get peak(): number {
    return this.#peak
  }

  get limit(): number {
    return this.#needs.limit
  }

  async start(): Promise<void> {
    await rm(this.#needs.folder, { recursive: true, force: true })
  }

  has(session: object, side: Side): boolean {
    return this.#recordings.get(session)?.has(side) === true
  }

  /** What is to hear the session from now on. Throws Failure('overloaded'). */
  begin(session: object, side: Side): SoundTap | undefined {
    if (this.#inUse >= this.#needs.limit) throw new Failure('overloaded', 'recordings', { retryAfter: 60 })
    const ofSession = this.#recordings.get(session) ?? new Map<Side, SoundRecording>()
    ofSession.set(side, new SoundRecording(this.#needs))
    this.#recordings.set(session, ofSession)
    this.#inUse += 1
    this.#peak = Math.max(this.#peak, this.#inUse)
    return this.tapOf(session)
  }

  /** Undefined: nobody hears it any more. */
  tapOf(session: object): SoundTap | undefined {
    const all = [...(this.#recordings.get(session)?.values() ?? [])]
    if (all.length < 2) return all[0]
    return {
      formats: (formats) => {
        for (const one of all) one.formats(formats)
      },
      packet: (from, packet) => {
        for (const one of all) one.packet(from, packet)
      },
    }
  }

  /** Nothing more is heard; what was is to be fetched. */
  end(session: object, side: Side): RecordedSound | undefined {
    const recording = this.#take(session, side)
    if (recording === undefined) return undefined
    let finished: Promise<() => AsyncIterable<Buffer>> | undefined
    return {
      content: async () => {
        finished ??= recording.finish()
        return { contentType: 'audio/wav', content: (await finished)() }
      },
      done: () => recording.remove(),
    }
  }

  async discard(session: object, side: Side): Promise<void> {
    await this.#take(session, side)?.remove()
  }

  #take(session: object, side: Side): SoundRecording | undefined {
    const ofSession = this.#recordings.get(session)
    const recording = ofSession?.get(side)
    if (ofSession === undefined || recording === undefined) return undefined
    ofSession.delete(side)
    if (ofSession.size === 0) this.#recordings.delete(session)
    this.#inUse -= 1
    return recording
  }
}
