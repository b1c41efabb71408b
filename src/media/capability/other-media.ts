import { rtpAttributes } from '../../protocols/sdp/rtp-media.ts'
import type { ExecutionModule } from './execution-module.ts'
import { msrpAttributes } from './message-session.ts'

/** Whatever no other module takes: passes as it is where policy permits such media. */
export const otherMedia: ExecutionModule = {
  takes: () => true,
  kindOf: () => 'other',
  judge: (media) => ({ media }),
  ownAttributes: [...rtpAttributes, ...msrpAttributes],
}
