import { icsi } from '../../protocols/cpm/services.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { methods } from '../../protocols/sip/methods.ts'

/** What a request is for. Each service has one handler, which the composition root hands over. */
export type Service =
  | 'registration'
  | 'capabilities'
  | 'notification'
  | 'messageToMany'
  | 'pagerMessage'
  | 'revocation'
  | 'storeEvent'
  | 'storeEvents'
  | 'largeMessage'
  | 'session'
  | 'subscription'
  | 'publication'
  | 'refer'
  | 'noSuchDialog'

export interface Route {
  /** Any method, where none is named. */
  readonly method?: string
  /** The request says that it belongs to a dialog: its To has a tag. */
  readonly inDialog?: boolean
  /** An option tag of its Require header field. */
  readonly requires?: string
  readonly content?: (request: SipRequest) => boolean
  /** A service of CPM that the request names (features 1.1). */
  readonly service?: string
  readonly to: Service
}

export interface RouteMatchers {
  readonly isDispositionNotification: (request: SipRequest) => boolean
  readonly isRevocation: (request: SipRequest) => boolean
  readonly isStoreEvent: (request: SipRequest) => boolean
  /** Whether it is addressed to the storage controller; without it there is none. */
  readonly isForStorage?: (request: SipRequest) => boolean
  /** There is somebody to answer INVITEs. */
  readonly servesSessions: boolean
}

/**
 * The dispatch table (spec/1 §2): the first match wins. A notification is told by its content, never by a tag, since
 * it may carry the tags of the service that it is about; a plain client sends no tags, and its messages are pager
 * messages like any other.
 */
export function routesFor(matchers: RouteMatchers): readonly Route[] {
  const { isDispositionNotification, isRevocation, isStoreEvent, isForStorage, servesSessions } = matchers
  return [
    { method: 'REGISTER', to: 'registration' },
    { method: 'SUBSCRIBE', to: 'subscription' },
    { inDialog: true, to: 'noSuchDialog' },
    { method: 'MESSAGE', requires: 'recipient-list-message', to: 'messageToMany' },
    { method: 'MESSAGE', content: isDispositionNotification, to: 'notification' },
    { method: 'MESSAGE', content: isRevocation, to: 'revocation' },
    { method: 'MESSAGE', content: isStoreEvent, to: 'storeEvent' },
    { method: 'MESSAGE', to: 'pagerMessage' },
    ...(servesSessions ? invitations : []),
    // To record a session, or to stop that (spec/1 §2).
    ...(isForStorage ? [{ method: 'REFER', content: isForStorage, to: 'refer' } as const] : []),
    { method: 'OPTIONS', to: 'capabilities' },
    { method: 'PUBLISH', to: 'publication' },
  ]
}

/** A large message that was deferred by another server comes as one that was not (features 1.3). */
const invitations: readonly Route[] = [
  { method: 'INVITE', service: icsi.largeMessage, to: 'largeMessage' },
  { method: 'INVITE', service: icsi.deferred, to: 'largeMessage' },
  { method: 'INVITE', service: icsi.systemMessage, to: 'storeEvents' },
  { method: 'INVITE', to: 'session' },
]

/** Methods that are known: those without a route are answered 405, all others 501 (RFC 3261 §21.4.6, §21.5.2). */
export const knownMethods: ReadonlySet<string> = new Set(methods)

/** What the Allow header field tells: methods that this server serves, and those that come with sessions. */
export const allowed = (servesSessions: boolean): string =>
  servesSessions
    ? 'REGISTER, MESSAGE, OPTIONS, SUBSCRIBE, PUBLISH, INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, REFER, NOTIFY'
    : 'REGISTER, MESSAGE, OPTIONS, SUBSCRIBE, PUBLISH'
