import type { Params } from '../../protocols/sip/params.ts'

/** Somebody who wants to be told, over SIP or inside this process. */
export interface Watcher {
  readonly package: string
  /** Canonical address of what is watched. */
  readonly resource: string
  /** Canonical address of who watches. */
  readonly subscriber: string
  /** The subscriber's id, where it is a user of this server. */
  readonly owner: number | undefined
  /** Nobody is to learn who it is (RFC 3323, RFC 3325 §7). */
  readonly anonymous: boolean
  /** What the subscriber calls its program; '' where it does not say. */
  readonly userAgent: string
  /** Of the Event header field. */
  readonly eventParams: Params
  /** Content types that the watcher takes; the package's first where it did not say. */
  readonly accept: readonly string[]
  /** Option tags that the watcher understands. */
  readonly supported: readonly string[]
  /** The body of the SUBSCRIBE: filters, lists. */
  readonly body: { readonly contentType: string; readonly content: Buffer } | undefined
  readonly state: SubscriptionState
  /** How many notifications there were before; it never goes back, whatever becomes of this server. */
  readonly sequence: number
  /** There is something to tell; a watcher inside this process is told otherwise. */
  notify?(): void
}

/** RFC 6665 §4.1.3. */
export type SubscriptionState = 'pending' | 'active' | 'terminated'

export interface NotifyBody {
  readonly contentType: string
  readonly content: Buffer
  /** Option tags that whoever reads it must understand, such as `eventlist`. */
  readonly require?: string
}

/** An event package (RFC 6665 §5): what it tells, and whom. */
export interface EventPackage {
  readonly name: string
  /** What its NOTIFY may hold, the usual one first. */
  readonly contentTypes: readonly string[]
  /** Seconds. */
  readonly expires: { readonly max: number; readonly usual: number }
  /** Milliseconds between two NOTIFY of one subscription, the first and the last excepted. */
  readonly interval: number
  /** Throws Failure('forbidden'), Failure('recipient-unknown') and others to refuse. */
  authorise(watcher: Watcher): 'active' | 'pending' | Promise<'active' | 'pending'>
  /** All of the state, as this watcher may see it; undefined: an empty NOTIFY. */
  notification(watcher: Watcher): NotifyBody | undefined | Promise<NotifyBody | undefined>
  /** For a list: the addresses of all that is watched through it. Asked once the watcher is authorised. */
  members?(watcher: Watcher): readonly string[] | undefined
  /** A watcher of the resource, itself or through a list, has begun, has ended, or is allowed now. */
  watched?(resource: string): void
  /** A watcher that was authorised, or was being so, is gone. */
  ended?(watcher: Watcher): void
}
