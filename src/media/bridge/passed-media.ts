import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import type { OwnMedia } from '../capability/index.ts'

/** Media that go end to end beside such as the server anchors: the line says what its writer has said. */
export const passedMedia: OwnMedia = {
  describe: (_media: MediaDescription, written: MediaDescription, session: SessionDescription) => ({
    ...written,
    connection: written.connection ?? session.connection,
  }),
  close: () => {},
}
