import { escapeAttribute } from '../../../protocols/xml/references.ts'
import { type DocumentKey, etagOf, type ListedDocument } from '../documents/index.ts'
import { type ApplicationUsage, type Principal, usualAccess } from '../xcap/application-usage.ts'

const namespace = 'urn:oma:xml:xdm:xcap-directory'

interface Needs {
  readonly list: (owner: number) => Promise<readonly ListedDocument[]>
  /** The URI of the XCAP root. */
  readonly root: string
}

/** What documents a user has: a document that the server writes itself (OMA XDM Core, XCAP directory). */
export function xcapDirectory({ list, root }: Needs): ApplicationUsage {
  const directoryOf = async (key: DocumentKey, owner: Principal) => {
    const folders = byUsage(await list(owner.id))
    const content = Buffer.from(
      `<?xml version="1.0" encoding="UTF-8"?>\n<xcap-directory xmlns="${namespace}">` +
        [...folders].map(([auid, documents]) => folder(root, auid, owner, documents)).join('') +
        '</xcap-directory>\n',
    )
    return { ...key, content, etag: etagOf(content) }
  }
  return {
    auid: 'org.openmobilealliance.xcap-directory',
    contentType: 'application/vnd.oma.xcap-directory+xml',
    namespace,
    namespaces: [namespace],
    names: (document, tree) => tree === 'users' && document === 'directory.xml',
    permits: usualAccess,
    computed: async (key, owner) => (owner === undefined ? undefined : await directoryOf(key, owner)),
  }
}

function byUsage(documents: readonly ListedDocument[]): ReadonlyMap<string, ListedDocument[]> {
  const folders = new Map<string, ListedDocument[]>()
  for (const document of documents) {
    const folder = folders.get(document.auid)
    if (folder === undefined) folders.set(document.auid, [document])
    else folder.push(document)
  }
  return folders
}

function folder(root: string, auid: string, owner: Principal, documents: readonly ListedDocument[]): string {
  const home = `${root}/${auid}/users/${encodeURIComponent(owner.identities[0] ?? '')}`
  const entries = documents.map(({ name, etag, modified, bytes }) => {
    const uri = `${home}/${name.split('/').map(encodeURIComponent).join('/')}`
    const attributes = {
      uri,
      etag: `"${etag}"`,
      'last-modified': new Date(modified).toISOString(),
      size: String(bytes),
    }
    const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeAttribute(value)}"`)
    return `<entry${written.join('')}/>`
  })
  return `<folder auid="${escapeAttribute(auid)}">${entries.join('')}</folder>`
}
