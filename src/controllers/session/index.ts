export type { Needs } from './needs.ts'
export { SessionController } from './session-controller.ts'
