/** Content types as session descriptions have them (RFC 4975 §8.6). */
interface MessageTypes {
  readonly acceptTypes: readonly string[]
  readonly acceptWrappedTypes: readonly string[]
}

export interface MediaMessage {
  readonly messageId: string
  readonly contentType: string
  readonly body: Buffer
}

interface Taking extends MessageTypes {
  onMessage(message: MediaMessage): Promise<void>
}

/** The client's end of an MSRP session: it makes an offer, or answers one, and carries messages. */
export interface MessageEnd {
  /** Called once, unless `close` was. */
  onClosed: ((why: never) => void) | undefined
  /** What the peer takes; undefined until it has said so. */
  readonly peer: MessageTypes | undefined
  offer(take: Taking): Buffer
  /** The answer to the offer that was made. Throws Failure when it takes no message session. */
  answered(answer: Buffer): Promise<void>
  /** The answer to an offer, also to a later one. Throws Failure when nothing of it is a message session. */
  answer(offer: Buffer, take: Taking): Promise<Buffer>
  /** Resolves when the peer has acknowledged it; rejects with a Failure when it does not. */
  send(message: { readonly contentType: string; readonly body: Buffer }): Promise<void>
  close(): void
}

/** The media of a client; `media` is another part, and the root hands it over. */
export interface ClientMedia {
  openMessageEnd(): Promise<MessageEnd>
  close(): Promise<void>
}
