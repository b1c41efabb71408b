import type { XcapError } from '../../../protocols/xcap/xcap-error.ts'

/** A change that the document, or its application usage, does not allow: 409 (RFC 4825 §11). */
export class XcapConflict extends Error {
  readonly error: XcapError
  constructor(error: XcapError) {
    super(error.phrase === undefined ? error.kind : `${error.kind}: ${error.phrase}`)
    this.name = 'XcapConflict'
    this.error = error
  }
}
