import { escapeAttribute } from '../xml/references.ts'

/** What became of a document (RFC 5874 §4): created where it had no entity tag, deleted where it has none now. */
export interface DocumentDiff {
  /** Relative to the XCAP root: `resource-lists/users/sip:joe@example.com/index`. */
  readonly selector: string
  readonly previousEtag?: string | undefined
  readonly newEtag?: string | undefined
}

export const xcapDiffType = 'application/xcap-diff+xml'

export function writeXcapDiff(root: string, documents: readonly DocumentDiff[]): Buffer {
  const elements = documents.map(({ selector, previousEtag, newEtag }) => {
    const attributes = [
      ['new-etag', newEtag],
      ['sel', selector],
      ['previous-etag', previousEtag],
    ] as const
    const written = attributes.map(([name, value]) =>
      value === undefined ? '' : ` ${name}="${escapeAttribute(value)}"`,
    )
    return `<document${written.join('')}/>`
  })
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<xcap-diff xmlns="urn:ietf:params:xml:ns:xcap-diff" xcap-root="${escapeAttribute(root)}">${elements.join('')}</xcap-diff>\n`,
  )
}
