export { type AnchorReason, type Place, reasonToAnchor } from './anchoring.ts'
export { type BridgeNeeds, MediaBridge } from './media-bridge.ts'
export type { PassedMessage } from './message-copy.ts'
