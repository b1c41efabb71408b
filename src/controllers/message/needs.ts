import type { Device } from './device.ts'
import type { Policy } from './policy.ts'
import type { Send } from './sending.ts'

export interface Subscriber {
  readonly id: number
  readonly identities: readonly string[]
}

export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
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
  readonly dropBinding: (owner: number, key: string) => Promise<void>
  readonly send: Send
  readonly isLocal: (domain: string) => boolean
  /** Whether requests for a domain go to a peer that P-Asserted-Identity may be told. */
  readonly isTrustedPeer: (domain: string) => boolean
  /** The server's own address, such as `sip:parley.test`. */
  readonly ownUri: () => string
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
