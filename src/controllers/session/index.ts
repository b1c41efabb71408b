export { AbsentChats, type ChatNotification } from './absent-chats.ts'
export type { Needs } from './needs.ts'
export { SessionController } from './session-controller.ts'
export { StoredSessions } from './stored-sessions.ts'
