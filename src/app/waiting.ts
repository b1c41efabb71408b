import { waitingRoutes } from '../enablers/message-store/waiting/waiting-door.ts'
import type { HttpRoutes } from '../operations/index.ts'
import type { Access } from './access.ts'
import type { Signalling } from './signalling.ts'

/** The door of users to what waits for them. */
export const waitingDoor = ({ door }: Access, { messaging }: Signalling): HttpRoutes =>
  waitingRoutes({ door, waiting: messaging.controller.waiting })
