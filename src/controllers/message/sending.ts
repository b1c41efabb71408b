import type { SipRequest } from '../../protocols/sip/message.ts'
import type { FinalResponse } from './device-answer.ts'

/** A request under way. */
export interface Sending {
  /** Never rejects: no answer is a 408, no way there a 503, a flow that is gone a 430, each of them `local`. */
  readonly final: Promise<FinalResponse>
  abandon(): void
}

/** Over `flow` if it is open; else, unless `flowOnly`, to the first Route or the request-URI. */
export interface Target {
  readonly flow?: string
  readonly flowOnly?: boolean
  /** Of a request that is passed on: the request-URI that it came with. */
  readonly receivedUri?: string
}

export type Send = (request: SipRequest, target: Target) => Sending
