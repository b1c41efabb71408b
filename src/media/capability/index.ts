export { CapabilityController, type SelectOptions } from './capability-controller.ts'
export { type MediaKind, type MediaPolicy, strictest } from './media-policy.ts'
export type { Anchor, OwnMedia, OwnMediaRequest } from './own-media.ts'
export { type SelectedMedia, Selection } from './selection.ts'
