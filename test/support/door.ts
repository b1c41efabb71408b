import type { Resident } from './residents.ts'
import type { SipText } from './sip-text.ts'
import type { XcapAnswer } from './xcap-client.ts'

/** What came of an attempt: the answers, and what else was told. */
export interface Attempt {
  readonly answers: readonly (Pick<SipText, 'status' | 'text'> | Pick<XcapAnswer, 'status' | 'text'>)[]
  readonly told?: readonly SipText[]
}

/** A way by which one user may try to get at what another one keeps. */
export interface Door {
  readonly name: string
  /** The statuses that there may be. */
  readonly answers: readonly number[]
  enter(intruder: Resident, victim: Resident): Promise<Attempt>
}
