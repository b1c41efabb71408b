import { ContactList, contactRoutes, type Xcap } from '../enablers/contacts/index.ts'
import type { HttpRoutes } from '../operations/index.ts'
import type { Access } from './access.ts'
import type { Parts } from './parts.ts'
import type { Signalling } from './signalling.ts'

/** The contact list of each user, in JSON. */
export function buildContacts(
  { subscribers }: Parts,
  { addresses }: Signalling,
  { door }: Access,
  xcap: Xcap,
): HttpRoutes {
  return contactRoutes({
    contacts: new ContactList(xcap),
    principalOf: (sent) => door.principalOf(sent, 'contacts'),
    userOf: (address) => {
      const aor = addresses.of(address)
      return aor === undefined ? undefined : subscribers.find(aor)
    },
  })
}
