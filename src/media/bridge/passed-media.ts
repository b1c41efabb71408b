import type { MediaDescription } from '../../protocols/sdp/session-description.ts'
import type { OwnMedia } from '../capability/index.ts'
import type { Facing } from './facing.ts'

/** Media that go end to end beside such as the server anchors: the line says what its writer has said. */
export class PassedMedia implements OwnMedia {
  readonly #facing: Facing
  readonly #index: number

  constructor(facing: Facing, index: number) {
    this.#facing = facing
    this.#index = index
  }

  describe(media: MediaDescription): MediaDescription {
    const session = this.#facing.passing
    const written = session?.media[this.#index] ?? media
    return { ...written, connection: written.connection ?? session?.connection }
  }

  close(): void {}
}
