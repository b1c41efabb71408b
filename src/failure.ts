/** What can go wrong, in the words of the domain. Every edge has one exhaustive table from these to its own status. */
export type Condition =
  | 'malformed'
  | 'unsupported-content'
  | 'unauthenticated'
  | 'forbidden'
  | 'recipient-unknown'
  | 'message-too-large'
  | 'too-many-recipients'
  | 'absent'
  | 'too-many-contacts'
  | 'interval-too-brief'
  | 'out-of-order'
  | 'method-not-allowed'
  | 'method-unknown'
  | 'event-unknown'
  | 'extension-required'
  | 'too-many-attempts'
  | 'overloaded'
  | 'database-unavailable'
  | 'unreachable'
  | 'conflict'
  | 'not-found'
  | 'not-acceptable'
  | 'size-exceeded'
  | 'object-unknown'
  | 'folder-unknown'
  | 'mailbox-full'
  | 'not-permitted'
  | 'cursor-gone'

/** Why a session description, or a part of it, was not taken: the code is that of RFC 3261 §20.43. */
export interface Warning {
  readonly code: number
  readonly text: string
}

/** Thrown by the domain, translated by an edge. Anything else that is thrown is a bug. */
export class Failure extends Error {
  readonly condition: Condition
  /** For 'overloaded', 'too-many-attempts', 'database-unavailable': seconds after which to try again. */
  readonly retryAfter: number | undefined
  readonly warnings: readonly Warning[]
  constructor(condition: Condition, note = '', options: FailureOptions = {}) {
    super(note === '' ? condition : `${condition}: ${note}`, { cause: options.cause })
    this.name = 'Failure'
    this.condition = condition
    this.retryAfter = options.retryAfter
    this.warnings = options.warnings ?? []
  }
}

export interface FailureOptions {
  readonly cause?: unknown
  readonly retryAfter?: number
  readonly warnings?: readonly Warning[]
}

/** The operator has to change something: said in one line that names the key and the remedy, and the server ends with 1. */
export class ConfigurationFault extends Error {
  readonly key: string
  readonly problem: string
  readonly remedy: string
  constructor(key: string, problem: string, remedy: string, cause?: unknown) {
    super(`${key}: ${problem}; ${remedy}`, { cause })
    this.name = 'ConfigurationFault'
    this.key = key
    this.problem = problem
    this.remedy = remedy
  }
}
