import type { XmlElement } from '../../../protocols/xml/xml-element.ts'
import type { Candidate } from '../xcap/application-usage.ts'
import { XcapConflict } from '../xcap/xcap-conflict.ts'

export interface UriNeeds {
  /** The canonical address that a URI names. */
  readonly addressOf: (uri: string) => string | undefined
  /** A user whose own address it is. */
  readonly userOf: (address: string) => object | undefined | Promise<object | undefined>
  /** The documents of an application with an entry of one of these addresses. */
  readonly documentsOf: (
    auid: string,
    uris: readonly string[],
  ) => Promise<readonly { readonly owner: number; readonly name: string; readonly uri: string }[]>
}

/** Each of them is looked up. */
const mostEntries = 200

/** Addresses that documents give to something: nobody has them yet, neither a user nor another document. */
export async function checkUris({ key }: Candidate, entries: readonly XmlElement[], needs: UriNeeds): Promise<void> {
  const uris = entries.map((entry) => entry.attributes.find(({ name }) => name === 'uri')?.value ?? '')
  if (uris.length > mostEntries)
    throw new XcapConflict({ kind: 'constraint-failure', phrase: `more than ${mostEntries} addresses` })
  const twice = uris.find((uri, index) => uris.indexOf(uri) !== index)
  if (twice !== undefined) throw taken(entries, twice)
  for (const uri of uris) {
    const address = needs.addressOf(uri)
    if (address !== undefined && (await needs.userOf(address)) !== undefined) throw taken(entries, uri)
  }
  const others = uris.length === 0 ? [] : await needs.documentsOf(key.auid, uris)
  const other = others.find(({ owner, name }) => owner !== key.owner || name !== key.name)
  if (other !== undefined) throw taken(entries, other.uri)
}

const taken = ([entry]: readonly XmlElement[], uri: string): XcapConflict =>
  new XcapConflict({
    kind: 'uniqueness-failure',
    phrase: `${uri} is in use`,
    exists: [{ field: `${entry?.parent?.name}/${entry?.name}/@uri` }],
  })
