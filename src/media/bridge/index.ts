export { type BridgeNeeds, MediaBridge } from './media-bridge.ts'
