/**
 * Talk burst control (TBCP) of OMA PoC 1.0, User Plane §6.5: RTCP APP packets with the name PoC1. A participant sends
 * request, release, queue status request and acknowledgement; the others are the server's.
 */
export type TalkBurst = { readonly ssrc: number } & TalkBurstContent

export type TalkBurstContent =
  | { readonly type: 'request'; readonly priority?: number | undefined; readonly timestamp?: bigint | undefined }
  | { readonly type: 'granted'; readonly stopTalking: number; readonly participants?: number | undefined }
  | Taken
  | { readonly type: 'deny'; readonly reason: number; readonly phrase: string }
  /** `lastSequence`: of the last RTP packet of the burst; undefined when the participant sent none. */
  | { readonly type: 'release'; readonly lastSequence: number | undefined }
  | { readonly type: 'idle' }
  /** `retryAfter`: seconds until which a request is denied; of use with the reason `tooLong`. */
  | { readonly type: 'revoke'; readonly reason: number; readonly retryAfter: number }
  /** `of`: the subtype that is acknowledged. `reason` is for a connect: 0 accepted, 1 busy, 2 not accepted. */
  | { readonly type: 'acknowledgement'; readonly of: number; readonly reason: number }
  | { readonly type: 'queue-status-request' }
  | { readonly type: 'queue-status-response'; readonly priority: number; readonly position: number }
  | { readonly type: 'disconnect' }
  | Connect

/** Who speaks now. */
export interface Taken {
  readonly type: 'taken'
  readonly speaker: number
  readonly uri: string
  readonly name?: string | undefined
  readonly participants?: number | undefined
  /** An acknowledgement is asked for. */
  readonly acknowledge: boolean
}

/** Of a session that was set up before its users were: it begins now. */
export interface Connect {
  readonly type: 'connect'
  /** 1 one-to-one, 2 ad hoc, 3 prearranged, 4 chat. */
  readonly sessionType: number
  /** The user must be asked, whatever the answer mode. */
  readonly manualAnswer: boolean
  readonly inviter?: string | undefined
  readonly inviterName?: string | undefined
  readonly session?: string | undefined
  readonly groupName?: string | undefined
  readonly group?: string | undefined
}

/** Subtypes of the APP packets. 18 is a taken that is to be acknowledged: the highest bit of the five asks for it. */
export const subtypes = {
  request: 0,
  granted: 1,
  taken: 2,
  deny: 3,
  release: 4,
  idle: 5,
  revoke: 6,
  acknowledgement: 7,
  'queue-status-request': 8,
  'queue-status-response': 9,
  disconnect: 11,
  connect: 15,
} as const satisfies Record<TalkBurstContent['type'], number>

export const acknowledgeBit = 0x10

/** Why a request is denied. */
export const denials = { taken: 1, serverError: 2, alone: 3, retryAfter: 4, listenOnly: 5 } as const

/** Why a burst is revoked. */
export const revocations = { alone: 1, tooLong: 2, noPermission: 3, preempted: 4 } as const

/** `stopTalking` and `position` when they are not known or have no end. */
export const unlimited = 0xffff
