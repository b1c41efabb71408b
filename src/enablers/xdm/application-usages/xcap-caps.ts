import { escapeAttribute } from '../../../protocols/xml/references.ts'
import { etagOf } from '../documents/index.ts'
import type { ApplicationUsage } from '../xcap/application-usage.ts'

const namespace = 'urn:ietf:params:xml:ns:xcap-caps'

/** What this server can do: one global document, which it writes itself (RFC 4825 §12). */
export function xcapCaps(others: readonly Pick<ApplicationUsage, 'auid' | 'namespaces'>[]): ApplicationUsage {
  const usages = [{ auid: 'xcap-caps', namespaces: [namespace] }, ...others]
  const elements = (name: string, values: Iterable<string>) =>
    [...values].map((value) => `<${name}>${escapeAttribute(value)}</${name}>`).join('')
  const content = Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<xcap-caps xmlns="${namespace}">` +
      `<auids>${elements(
        'auid',
        usages.map(({ auid }) => auid),
      )}</auids><extensions/>` +
      `<namespaces>${elements('namespace', new Set(usages.flatMap(({ namespaces }) => namespaces)))}</namespaces>` +
      '</xcap-caps>\n',
  )
  return {
    auid: 'xcap-caps',
    contentType: 'application/xcap-caps+xml',
    namespace,
    namespaces: [namespace],
    names: (document, tree) => tree === 'global' && document === 'index',
    permits: ({ owner }) => owner === undefined,
    computed: async (key) => (key.name === 'index' ? { ...key, content, etag: etagOf(content) } : undefined),
  }
}
