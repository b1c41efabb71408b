/** An object in a mailbox that gets its end with the session. */
export interface KeptObject {
  readonly owner: number
  readonly id: string
}
