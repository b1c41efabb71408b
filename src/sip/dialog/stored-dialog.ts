/** A dialog as a row, plain JSON: enough to say BYE. */
export interface StoredDialog {
  readonly callId: string
  /** From and To of requests from here, with their tags. */
  readonly local: string
  readonly remote: string
  readonly localSeq: number
  readonly remoteTarget: string
  readonly routeSet: readonly string[]
  readonly flow?: string
}
