import type { Candidate } from '../xcap/application-usage.ts'
import { XcapConflict } from '../xcap/xcap-conflict.ts'

/** A schema that imports others has their root elements as well: only that of the application is meant. */
export function checkRoot({ root }: Candidate, namespace: string, name: string): void {
  if (root.name === name && root.namespace === namespace) return
  throw new XcapConflict({ kind: 'schema-validation-error', phrase: `the root element is to be ${name}` })
}
