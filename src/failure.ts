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
  | 'too-many-attempts'
  | 'overloaded'
  | 'database-unavailable'
  | 'unreachable'
  | 'conflict'
  | 'not-found'

/** Thrown by the domain, translated by an edge. Anything else that is thrown is a bug. */
export class Failure extends Error {
  readonly condition: Condition
  /** For 'overloaded', 'too-many-attempts', 'database-unavailable': seconds after which to try again. */
  readonly retryAfter: number | undefined
  constructor(condition: Condition, note = '', options: { cause?: unknown; retryAfter?: number } = {}) {
    super(note === '' ? condition : `${condition}: ${note}`, { cause: options.cause })
    this.name = 'Failure'
    this.condition = condition
    this.retryAfter = options.retryAfter
  }
}
