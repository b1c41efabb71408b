import type { Headers } from '../../protocols/sip/headers.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import type { Params } from '../../protocols/sip/params.ts'
import type { Call, CallEvents, Content, Invitation, Reply } from './dialogs.ts'
import type { FarewellNeeds } from './farewell.ts'
import type { KeptObject } from './kept-object.ts'
import type { Place } from './place.ts'
import type { StoredSessions } from './stored-sessions.ts'

export interface Subscriber {
  readonly id: number
  readonly identities: readonly string[]
}

/** Who calls: an authenticated user, or whom a trusted peer vouches for. */
export interface Sender {
  readonly aor: string
  readonly subscriber?: Subscriber
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
  /** Where and how it registered. */
  readonly transport: string
  readonly address: string
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
  /** The same of another device that takes the place of the one that `from` was. */
  offerInPlace(from: Side, body: Buffer): Promise<Buffer>
  /** The answer to it, as it goes back. */
  answer(body: Buffer): Promise<Buffer>
  /** The offer came to nothing. */
  reject(): void
  close(): void
}

/** How a session went. */
export type Outcome = 'answered' | 'missed' | 'declined'

/** What the users of a session keep of it. */
export interface History {
  /** Whose histories have what `from` says. */
  copiesOf(from: Side): Copies
  readonly kept: readonly KeptObject[]
  /** With the media of the device that has the session; `onKept` is called as often as `kept` has changed. */
  answered(media: Bridge, headers: Headers, sdp: Buffer, onKept: () => void): Promise<void>
  /** Something else may have been agreed on. */
  changed(): Promise<void>
  /** `offered`: media that the caller asked for. */
  ended(outcome: Outcome, offered: ReadonlySet<string>): void
}

export interface Copies {
  readonly sender: number | undefined
  readonly recipient: number | undefined
}

/** A REFER in a session, which may be for the server itself. */
export interface SessionRefer {
  readonly message: SipRequest
  readonly side: Side
  readonly history: History
  readonly request: (method: string, content: Content) => Promise<number>
}

/**
 * Answers for one of our users who is not there, or whose devices do not answer; undefined: it does not, and the caller is
 * refused. Otherwise it resolves as `SessionController.handleInvitation` does.
 */
export type Fallback = (
  invitation: Invitation,
  sender: Sender,
  recipient: string,
  subscriber: Subscriber,
) => Promise<Reply | undefined> | undefined

/** Who is at each end. */
export type Parties = Readonly<Record<Side, Sender>>

export type Medium = 'message' | 'chat' | 'file' | 'voice' | 'video'

/** Who wants to come through. */
interface Admitted {
  readonly aor: string
  readonly anonymous: boolean
  readonly subscriber?: Subscriber
}

/** How sessions are to reach a user who has said so. */
export interface Settings {
  readonly absent: 'keep' | 'notify' | 'discard' | undefined
  /** There are rules about devices, addresses or media. */
  readonly differs: boolean
  admits(sender: Admitted, awaited: boolean): boolean
  /** `device`: '' for one that is not known; `contact`: the address that the caller has used. */
  reception(device: string, contact: string, medium: Medium): 'deliver' | 'keep' | 'refuse'
}

/** What may be different from one service to another. */
export type Terms = Pick<Needs, 'openBridge' | 'ringFor'>

/** What the session controller calls of others. */
export interface Needs {
  readonly subscriberOf: (aor: string) => Subscriber | undefined | Promise<Subscriber | undefined>
  readonly devicesOf: (owner: number) => readonly Device[] | Promise<readonly Device[]>
  /** Undefined for those who have not said anything: nearly all. */
  readonly settingsOf: (owner: number) => Settings | undefined | Promise<Settings | undefined>
  readonly dropBinding: (owner: number, key: string) => Promise<void>
  readonly invite: (request: SipRequest, target: Target, events: CallEvents) => Call
  /** `places`: undefined for a party that is known through others only. */
  readonly openBridge: (
    parties: Parties,
    places: Readonly<Record<Side, Place | undefined>>,
    history: History | undefined,
  ) => Bridge
  /** What is kept of a session that is to begin. */
  readonly beginHistory?: (invite: SipRequest, sdp: Buffer, parties: Parties) => Promise<History>
  /** Undefined: it is for the other party. */
  readonly referInSession?: (refer: SessionRefer) => Promise<Reply> | undefined
  /** A node is gone that would have written their end. */
  readonly abandoned?: (kept: readonly KeptObject[]) => Promise<void>
  readonly absent?: Fallback
  /** A MESSAGE in a session: `relay` brings it to the other party, and resolves with that one's answer. */
  readonly inSessionMessage: (
    request: SipRequest,
    sender: Sender,
    recipient: string,
    relay: () => Promise<Reply>,
    copies: Copies | undefined,
  ) => Promise<Reply>
  /** Of a digest challenge: credentials for others go on to them. */
  readonly isOwnRealm: (realm: string) => boolean
  readonly isLocal: (domain: string) => boolean
  /** Whether requests for a domain go to a peer that P-Asserted-Identity may be told. */
  readonly isTrustedPeer: (domain: string) => boolean
  readonly newId: () => string
  /** The rows of sessions, those of this node and those of nodes that are gone. */
  readonly stored: Pick<StoredSessions, 'put' | 'remove' | 'removeLeftOver' | 'claim' | 'areThere' | 'close'>
  readonly byeStored: FarewellNeeds['byeStored']
  /** Sessions at once. */
  readonly maxSessions: number
  /** Sessions at once that one of our users has begun. */
  readonly maxPerUser: number
  /** Milliseconds that devices may ring. */
  readonly ringFor: number
  readonly log: {
    debug(fields: object, message: string): void
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
  }
}
