import { attribute, hasAttribute } from '../../protocols/sdp/attributes.ts'
import { type FileSelector, readFileSelector } from '../../protocols/sdp/file-selector.ts'
import type { MediaDescription } from '../../protocols/sdp/session-description.ts'
import type { ByteBudget } from '../endpoint/index.ts'
import type { Keeper, Keeps, MsrpSession } from '../msrp/index.ts'
import type { Side } from '../rtp/index.ts'
import { ChatCopy } from './chat-copy.ts'
import { FileCopy, type FileSink } from './file-copy.ts'
import type { PassedMessage } from './message-copy.ts'

/** A file that one party sends to the other (RFC 5547). */
export interface PassingFile {
  /** Undefined: nothing is said of it. */
  readonly selector: FileSelector | undefined
  readonly contentType: string
  /** As the m= line of its sender describes it. */
  readonly media: MediaDescription | undefined
}

/** What keeps messages that pass, before they are whole at the other end. */
export interface Keeping {
  /** Of all that is held in memory. */
  readonly memory: ByteBudget
  /** Of one message of a chat; a longer one is refused while it is kept. */
  readonly maxMessageBytes: number
  /** Whether what that party says is kept now. */
  keepsMessages(from: Side): boolean
  /** Resolves once the message is safe; else it does not pass. */
  message(from: Side, message: PassedMessage): Promise<void>
  keepsFiles(from: Side): boolean
  file(from: Side, file: PassingFile): FileSink
}

/** One m= line of messages, as it is kept. */
export interface KeptLine {
  readonly keeping: Keeping
  readonly isFile: boolean
  readonly sideOf: (session: MsrpSession) => Side
  /** The descriptions of the line by both parties, where they are known. */
  readonly described: () => readonly MediaDescription[]
}

/** Who keeps what passes on that line; the copies last as long as it does. */
export class LineKeeper {
  readonly #line: KeptLine
  readonly #copies = new Map<Side, ChatCopy | FileCopy>()

  constructor(line: KeptLine) {
    this.#line = line
  }

  readonly keeps: Keeps = (session): Keeper | undefined => {
    const { keeping, isFile, sideOf } = this.#line
    const from = sideOf(session)
    const wanted = isFile ? keeping.keepsFiles(from) : keeping.keepsMessages(from)
    const known = this.#copies.get(from)
    if (!wanted) return undefined
    const copy = known ?? (isFile ? this.#newFileCopy(from) : this.#newChatCopy(from))
    this.#copies.set(from, copy)
    return copy
  }

  close(): void {
    for (const copy of this.#copies.values()) copy.close()
    this.#copies.clear()
  }

  #newChatCopy(from: Side): ChatCopy {
    const { memory, maxMessageBytes } = this.#line.keeping
    const { keeping } = this.#line
    return new ChatCopy({ memory, keep: (message) => keeping.message(from, message) }, maxMessageBytes)
  }

  #newFileCopy(from: Side): FileCopy {
    const { keeping, described } = this.#line
    return new FileCopy((contentType) => {
      const media = described().find((one) => hasAttribute(one, 'file-selector'))
      const selector = media && readFileSelector(attribute(media, 'file-selector') ?? '')
      return keeping.file(from, { selector, contentType, media })
    })
  }
}
