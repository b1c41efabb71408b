import type { XmlElement } from '../../../protocols/xml/xml-element.ts'
import type { Document, DocumentKey } from '../documents/index.ts'

/** Who asks: a user, or a trusted server on behalf of one. */
export interface Principal {
  /** The subscriber. */
  readonly id: number
  /** Canonical addresses, the default public one first. */
  readonly identities: readonly string[]
  /** No user, but whoever runs the server. */
  readonly operator?: true
}

export interface Access {
  readonly principal: Principal
  /** Undefined in the global tree. */
  readonly owner: Principal | undefined
  readonly document: string
  readonly operation: 'read' | 'write'
}

/** A document as it is to become, parsed, before it is committed. */
export interface Candidate {
  readonly key: DocumentKey
  /** Whose it is; undefined in the global tree. */
  readonly owner: Principal | undefined
  readonly text: string
  readonly root: XmlElement
}

/** The parts of a document that a search may ask for. */
export interface Searched {
  /** The root element, and those of its children that are found one by one. */
  readonly entries: readonly [root: string, entry: string]
  /** Below an entry: `@uri`, `hobbies/hobby`. */
  readonly paths: readonly string[]
}

/** What an application makes of XCAP (RFC 4825 §5). */
export interface ApplicationUsage {
  readonly auid: string
  /** Of whole documents. */
  readonly contentType: string
  /** The default document namespace: of names without prefix in a node selector (§5.2). */
  readonly namespace: string
  /** All namespaces of its schema, for xcap-caps. */
  readonly namespaces: readonly string[]
  /** A file of interfaces/xml that whole documents are validated by. */
  readonly schema?: string
  /** Which documents there may be. */
  names(document: string, tree: 'users' | 'global'): boolean
  /** §5.7. */
  permits(access: Access): boolean
  /** Rules beyond the schema (§5.3, §5.4). Throws XcapConflict. */
  check?(candidate: Candidate): void | Promise<void>
  /** What its documents can be found by. */
  readonly searched?: Searched
  /** The document that the server itself writes under that name; such ones are read only. */
  computed?(key: DocumentKey, owner: Principal | undefined): Promise<Document | undefined>
}

/** The authorisation that RFC 4825 §5.7 gives by default: users their own tree, everybody may read the global one. */
export const usualAccess = ({ principal, owner, operation }: Access): boolean =>
  owner === undefined ? operation === 'read' : owner.id === principal.id
