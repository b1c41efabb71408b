import type { Document } from '../documents/index.ts'
import { type DocumentText, readDocument } from './document-text.ts'

/** Characters, in each of two generations; the elements of a text take several times its length. */
const mostKept = 4_194_304
const longestKept = 131_072

/** Where the elements of documents stand, by entity tag: what is read again and again is kept for a while, in two generations. */
export class DocumentTexts {
  #young = new Map<string, DocumentText>()
  #old = new Map<string, DocumentText>()
  #youngLength = 0

  of({ etag, content }: Document): DocumentText {
    const known = this.#young.get(etag) ?? this.#old.get(etag)
    if (known !== undefined) return known
    const read = readDocument(content)
    this.keep(etag, read)
    return read
  }

  /** Of a document that was read anyway. */
  keep(etag: string, read: DocumentText): void {
    const { length } = read.text
    if (length > longestKept) return
    if (this.#youngLength + length > mostKept) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngLength = 0
    }
    this.#young.set(etag, read)
    this.#youngLength += length
  }
}
