import { type Documents, ServiceSettings } from '../enablers/xdm/index.ts'
import type { Addresses } from '../signalling/manager/addresses.ts'
import type { Parts } from './parts.ts'
import type { Started } from './started.ts'

/** What users have set of how messages and sessions reach them. */
export function buildSettings(
  { database }: Parts,
  documents: Documents,
  addresses: Addresses,
  started: Started,
): ServiceSettings {
  const settings = new ServiceSettings({ database, documents, addressOf: (uri) => addresses.of(uri) })
  started.add(() => settings.close())
  return settings
}
