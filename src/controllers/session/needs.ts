import type { SipRequest } from '../../protocols/sip/message.ts'
import type { Params } from '../../protocols/sip/params.ts'
import type { Call, CallEvents } from './dialogs.ts'

/** Who calls: an authenticated user, or whom a trusted peer vouches for. */
export interface Sender {
  readonly aor: string
  readonly trusted: boolean
  readonly anonymous: boolean
}

/** A live binding, as the registrar knows it. */
export interface Device {
  readonly owner: number
  readonly key: string
  /** The instance, else the contact URI. Two bindings of one instance are two ways to one device (RFC 5626). */
  readonly device: string
  readonly contact: string
  readonly path: readonly string[]
  readonly flow: string
  /** Above 0: the client keeps its flow open itself, and is reached over no other way (RFC 5626 §5.3). */
  readonly regId: number
  readonly features: Params
}

export interface Target {
  readonly flow?: string
  readonly flowOnly?: boolean
  readonly receivedUri?: string
}

export type Side = 'caller' | 'callee'

/** The media between two parties. */
export interface Bridge {
  onGone: (() => void) | undefined
  /** The offer of one party as it goes to the other. */
  offer(from: Side, body: Buffer): Promise<Buffer>
  /** The answer to it, as it goes back. */
  answer(body: Buffer): Promise<Buffer>
  /** The offer came to nothing. */
  reject(): void
  close(): void
}

/** What the session controller calls of others. */
export interface Needs {
  readonly subscriberOf: (
    aor: string,
  ) => { readonly id: number } | undefined | Promise<{ readonly id: number } | undefined>
  readonly devicesOf: (owner: number) => readonly Device[] | Promise<readonly Device[]>
  readonly dropBinding: (owner: number, key: string) => Promise<void>
  readonly invite: (request: SipRequest, target: Target, events: CallEvents) => Call
  readonly openBridge: () => Bridge
  readonly isLocal: (domain: string) => boolean
  /** Whether requests for a domain go to a peer that P-Asserted-Identity may be told. */
  readonly isTrustedPeer: (domain: string) => boolean
  readonly newId: () => string
  /** Sessions at once. */
  readonly maxSessions: number
  /** Milliseconds that devices may ring. */
  readonly ringFor: number
  readonly log: {
    debug(fields: object, message: string): void
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
  }
}
