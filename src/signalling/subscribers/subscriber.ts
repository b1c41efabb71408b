/** Somebody who is served. One for all the addresses that lead to them. */
export interface Subscriber {
  readonly id: number
  /** Shown to people; may be empty. */
  readonly name: string
  /** What they authenticate as, without the domain. */
  readonly username: string
  /** Canonical addresses of record; the first is the default public identity. */
  readonly identities: readonly string[]
}

/** Somebody to be served from now on. */
export interface NewSubscriber {
  /** A SIP address of the domain. */
  readonly uri: string
  readonly password: string
  /** A telephone number, with or without `tel:`, as a second identity. */
  readonly tel?: string
  readonly name?: string
}

/** What a password is checked by: H(username:realm:password), never the password (RFC 7616 §3.4.2). */
export interface Credential {
  readonly subscriber: number
  readonly md5: string
  readonly sha256: string
}
