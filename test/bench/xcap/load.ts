/** What the clients do, over and over. */
export type Kind = 'get' | 'put' | 'element'

export type ToLoad =
  /** Opens so many connections, one for each user, and puts a document of theirs. */
  | { readonly do: 'open'; readonly port: number; readonly connections: number; readonly proof: Proof }
  | { readonly do: 'run'; readonly kind: Kind; readonly seconds: number }
  | { readonly do: 'close' }

/** How a server knows who asks. */
export type Proof = 'digest' | 'asserted'

export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  readonly failed: number
  /** The first answer that was none of the expected. */
  readonly failure: string
  readonly p50Ms: number
  readonly p99Ms: number
  /** Seconds that the load itself computed, of each second: below 1 it was no bottleneck. */
  readonly busy: number
}
