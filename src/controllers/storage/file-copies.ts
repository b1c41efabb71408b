import { Failure } from '../../failure.ts'
import { FileStream } from './file-stream.ts'
import type { Log, Mailboxes, PassingFile, Side } from './needs.ts'
import { fileObject, type SessionFacts } from './session-objects.ts'

interface Needs {
  readonly mailboxes: Mailboxes
  readonly now: () => number
  readonly newId: () => string
  readonly log: Log
}

export interface CopiedFile {
  readonly from: Side
  readonly file: PassingFile
  readonly facts: SessionFacts
  readonly owners: readonly { readonly side: Side; readonly owner: number }[]
}

interface Copy {
  readonly stream: FileStream
  readonly stored: Promise<unknown>
}

/** A file that passes, on its way into the mailboxes of those who keep it. */
export class FileCopies {
  readonly #copies: readonly Copy[]

  constructor(needs: Needs, { from, file, facts, owners }: CopiedFile) {
    this.#copies = owners.map(({ side, owner }) => {
      const stream = new FileStream()
      const object = fileObject({ id: needs.newId(), side, from, facts, file, content: stream, at: needs.now() })
      const stored = needs.mailboxes.create(owner, object).catch((err) => {
        // A mailbox that is full does not keep files from being sent; all else does.
        if (!(err instanceof Failure) || err.condition !== 'mailbox-full') throw err
        needs.log.info({ owner }, 'a file is not stored: the mailbox is full')
        stream.ignore()
      })
      stored.catch((err) => stream.fail(err))
      return { stream, stored }
    })
  }

  write(bytes: Buffer): void | Promise<void> {
    const full = this.#copies.flatMap(({ stream }) => stream.write(bytes) ?? [])
    if (full.length > 0) return Promise.all(full).then(() => {})
  }

  /** Resolves once every copy is safe. */
  async complete(): Promise<void> {
    for (const { stream } of this.#copies) stream.end()
    await Promise.all(this.#copies.map(({ stored }) => stored))
  }

  abandoned(): void {
    for (const { stream } of this.#copies) stream.fail(new Failure('unreachable', 'the file broke off'))
  }
}
