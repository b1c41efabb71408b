export type ToLoad =
  /** Opens the sockets of that many watchers; they will watch, and publishers publish, at this server. */
  | { readonly do: 'open'; readonly port: number; readonly watchers: number }
  /** All watchers subscribe to the presence of these users. */
  | { readonly do: 'subscribe'; readonly from: number; readonly to: number }
  /** Those who are watched publish in turn, `window` of them at once. */
  | { readonly do: 'publish'; readonly seconds: number; readonly window: number }

export interface Subscribed {
  readonly subscribed: number
  readonly failed: number
  readonly failure: string
}

export interface LoadResult {
  readonly seconds: number
  /** That arrived for the first time. */
  readonly notifies: number
  readonly publishes: number
  /** Publications that were refused, or of which some watcher did not hear in time. */
  readonly failed: number
  /** NOTIFY that came again. */
  readonly again: number
  /** From a PUBLISH until the last of the watchers has heard of it. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** Seconds that the load itself computed, of each second: below 1 it was no bottleneck. */
  readonly busy: number
}
