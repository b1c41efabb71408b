import { EmbeddedMedia } from './embedded-media.ts'
import type { RtpEngine } from './rtp-engine.ts'
import type { RtpPlane } from './rtp-plane.ts'

/** The engine inside this process. An m= line has its two pairs of ports from the offer on: an answer never lacks one. */
export class EmbeddedEngine implements RtpEngine {
  readonly #plane: RtpPlane

  constructor(plane: RtpPlane) {
    this.#plane = plane
  }

  get use(): RtpEngine['use'] {
    return this.#plane.use
  }

  async open(onGone: () => void): Promise<EmbeddedMedia> {
    return new EmbeddedMedia(await this.#plane.open(onGone))
  }

  close(): Promise<void> {
    return this.#plane.close()
  }
}
