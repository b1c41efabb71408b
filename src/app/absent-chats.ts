import { randomUUID } from 'node:crypto'
import type { MessageController } from '../controllers/message/index.ts'
import { AbsentChats, type SessionController } from '../controllers/session/index.ts'
import type { Endpoints } from './endpoints.ts'
import type { Parts } from './parts.ts'

interface Around {
  readonly endpoints: Endpoints
  readonly messages: MessageController
  readonly sessions: SessionController
}

export function buildAbsentChats({ config, log, bindings }: Parts, { endpoints, messages, sessions }: Around) {
  const chats = new AbsentChats({
    devicesOf: (owner) => bindings.of(owner),
    sessions: sessions.sessions,
    newRecord: () => sessions.newRecord(),
    openEndpoint: () => endpoints.open(config.message.maxBytes, config.session.absentIdle),
    keep: (message) => messages.takeInChat(message),
    newId: randomUUID,
    log: log.child({ part: 'sessions' }),
  })
  messages.notifyIn(chats)
  return chats
}
