import type { SipRequest } from '../../protocols/sip/message.ts'
import type { Device } from './device.ts'
import type { Call, CallEvents, Endpoint } from './dialogs.ts'
import type { Absence, Policy } from './policy.ts'
import type { Send, Target } from './sending.ts'

export interface Subscriber {
  readonly id: number
  readonly identities: readonly string[]
}

export type Medium = 'message' | 'chat' | 'file' | 'voice' | 'video'
export type Reception = 'deliver' | 'keep' | 'refuse'

/** Who wants to come through. */
interface Admitted {
  readonly aor: string
  readonly anonymous: boolean
  readonly subscriber?: Subscriber
}

type StorageWish = 'always' | 'ask' | 'never'

/** How messages are to reach a user who has said so. */
export interface Settings {
  storageOf(peers: readonly string[], medium: Medium): StorageWish | undefined
  /** Whether anything is to be stored, ever; undefined: nothing is said of it. */
  readonly storesAny: boolean | undefined
  readonly absent: Absence | undefined
  /** Of texts that the server itself sends, such as `de`. */
  readonly language: string | undefined
  /** There are rules about devices, addresses or media. */
  readonly differs: boolean
  /** `awaited`: it tells of what the user has sent. */
  admits(sender: Admitted, awaited: boolean): boolean
  /** `device`: '' for one that is not known; `contact`: the address that the sender has used. */
  reception(device: string, contact: string, medium: Medium): Reception
}

export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** What may become part of the history of who has these settings. */
export interface Storable {
  /** All addresses of the other party that are known. */
  readonly peers: readonly string[]
  readonly medium: Medium
  /** Whose copy it is has asked for it. */
  readonly asked: boolean
}

/** Whose histories have it; undefined for one whose has not. */
export interface Copies {
  readonly recipient: number | undefined
  readonly sender: number | undefined
}

/** What the message controller calls of others. What is usually in a cache comes without a promise. */
export interface Needs {
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
  readonly newId: () => string
  readonly policy: Policy
  readonly subscriberOf: (aor: string) => Subscriber | undefined | Promise<Subscriber | undefined>
  /** Live bindings. */
  readonly devicesOf: (owner: number) => readonly Device[] | Promise<readonly Device[]>
  /** Devices of the user that are known by their instance, registered now or not. */
  readonly knownDevices: (owner: number) => readonly string[] | Promise<readonly string[]>
  /** Undefined for those who have not said anything: nearly all. */
  readonly settingsOf: (owner: number) => Settings | undefined | Promise<Settings | undefined>
  readonly stores: (settings: Settings | undefined, storable: Storable) => boolean
  /** Whether anything may be in the history of who has these settings. */
  readonly mayStore: (settings: Settings | undefined) => boolean
  readonly dropBinding: (owner: number, key: string) => Promise<void>
  readonly send: Send
  /** An INVITE of the server's own. */
  readonly invite: (request: SipRequest, target: Target, events: CallEvents) => Call
  /** The server as a party of a message session with a device that is reached over that transport. */
  readonly openEndpoint: (transport: string) => Endpoint
  readonly isLocal: (domain: string) => boolean
  /** Whether requests for a domain go to a peer that P-Asserted-Identity may be told. */
  readonly isTrustedPeer: (domain: string) => boolean
  /** The server's own address, such as `sip:parley.test`. */
  readonly ownUri: () => string
  /** Adds a flag to stored copies. */
  readonly mark: (owner: number, ids: readonly string[], flag: string) => Promise<unknown>
  readonly log: Log
}

/** Outcomes since the start. */
export interface MessageCounts {
  delivered: number
  kept: number
  refused: number
  relayed: number
  /** Notifications that told nothing new. */
  absorbed: number
  expired: number
  /** Delivered after they had been kept. */
  late: number
}
