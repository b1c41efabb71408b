import { escapeAttribute } from '../xml/references.ts'

/** Why a change was refused with 409 (RFC 4825 §11). */
export type XcapError =
  | { readonly kind: PlainError; readonly phrase?: string }
  /** The nearest resource above that is there. */
  | { readonly kind: 'no-parent'; readonly phrase?: string; readonly ancestor?: string }
  | { readonly kind: 'uniqueness-failure'; readonly phrase?: string; readonly exists: readonly Existing[] }

type PlainError =
  | 'not-well-formed'
  | 'not-xml-frag'
  | 'schema-validation-error'
  | 'not-xml-att-value'
  | 'cannot-insert'
  | 'cannot-delete'
  | 'constraint-failure'
  | 'extension'
  | 'not-utf-8'

/** A value that is in use already: where it stands in the document, and what could be used in its place. */
export interface Existing {
  readonly field: string
  readonly alternatives?: readonly string[]
}

export const xcapErrorType = 'application/xcap-error+xml'

/** The body of a 409. */
export function writeXcapError(error: XcapError): Buffer {
  const phrase = error.phrase === undefined ? '' : ` phrase="${escapeAttribute(error.phrase)}"`
  const content = contentOf(error)
  const element = content === '' ? `<${error.kind}${phrase}/>` : `<${error.kind}${phrase}>${content}</${error.kind}>`
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error">${element}</xcap-error>\n`,
  )
}

function contentOf(error: XcapError): string {
  if (error.kind === 'no-parent' && error.ancestor !== undefined)
    return `<ancestor>${escapeAttribute(error.ancestor)}</ancestor>`
  return error.kind === 'uniqueness-failure' ? error.exists.map(existing).join('') : ''
}

function existing({ field, alternatives = [] }: Existing): string {
  const values = alternatives.map((value) => `<alt-value>${escapeAttribute(value)}</alt-value>`).join('')
  return `<exists field="${escapeAttribute(field)}">${values}</exists>`
}
