import { readToken, type UserDoor } from '../enablers/access/index.ts'
import {
  AccessPoint,
  type ApplicationUsage,
  accessRules,
  DocumentSearch,
  Documents,
  GrantedAccess,
  groups,
  groupTerms,
  lockedUserProfile,
  omaPresRules,
  type Principal,
  pidfManipulation,
  presContent,
  presRules,
  resourceLists,
  rlsServices,
  rlsServiceTerms,
  SearchServer,
  searchTerms,
  searchUsage,
  serviceSettings,
  userProfile,
  userProfileTerms,
  Validator,
  XcapDiffPackage,
  XcapServer,
  xcapCaps,
  xcapDirectory,
  xcapRoutes,
} from '../enablers/xdm/index.ts'
import { AdminToken, type HttpRoutes } from '../operations/index.ts'
import type { Addresses } from '../signalling/manager/addresses.ts'
import type { Parts } from './parts.ts'
import type { Signalling } from './signalling.ts'
import type { Started } from './started.ts'

const root = '/xcap'

/** What documents of these applications can be found by. */
const searched = {
  'org.openmobilealliance.user-profile': userProfileTerms,
  'org.openmobilealliance.groups': groupTerms,
  'rls-services': rlsServiceTerms,
}
/** Applications whose documents their owners may let others read. */
const shared: ReadonlySet<string> = new Set([
  'resource-lists',
  'org.openmobilealliance.groups',
  'org.openmobilealliance.pres-content',
])

export function buildDocuments({ database, metrics }: Parts, started: Started): Documents {
  const onBatch = (size: number) => metrics.batch('documents', size)
  const documents = new Documents({ database, now: Date.now, termsOf: searchTerms(searched), onBatch })
  started.add(() => documents.close())
  return documents
}

/** All applications, but for the capabilities, which name the others. */
function usagesOver(
  { subscribers }: Parts,
  addresses: Addresses,
  documents: Documents,
  search: DocumentSearch,
): readonly ApplicationUsage[] {
  const uris = {
    addressOf: (uri: string) => addresses.of(uri),
    userOf: (address: string) => subscribers.find(address),
    documentsOf: (auid: string, taken: readonly string[]) => search.documentsOf(auid, taken),
  }
  return [
    resourceLists,
    rlsServices(uris),
    presRules,
    pidfManipulation,
    accessRules,
    groups(uris),
    lockedUserProfile,
    omaPresRules,
    presContent,
    userProfile,
    xcapDirectory({ list: (owner) => documents.list(owner), root }),
    serviceSettings,
  ]
}

/** The doors to the documents: XCAP over HTTP, and SUBSCRIBE for their changes. */
export function buildXdm(
  parts: Parts,
  { addresses, peers, subscriptions }: Signalling,
  documents: Documents,
  door: UserDoor,
  started: Started,
): { readonly routes: HttpRoutes; readonly xcap: XcapServer } {
  const { config, database, subscribers } = parts
  const addressOf = (uri: string) => addresses.of(uri)
  const search = new DocumentSearch(database)
  const usages = usagesOver(parts, addresses, documents, search)
  const principalOf = (uri: string) => {
    const aor = addresses.of(uri)
    return aor === undefined ? undefined : subscribers.find(aor)
  }
  const principalById = (id: number): Principal | undefined | Promise<Principal | undefined> => subscribers.byId(id)
  const changed = (resource: string) => subscriptions.changedHere('xcap-diff', resource)
  const diffs = new XcapDiffPackage({ documents, usages, root, principalById, principalOf, changed })
  started.add(() => diffs.close())
  subscriptions.register(diffs)
  const validator = new Validator()
  started.add(() => validator.close())
  const all = [xcapCaps([...usages, searchUsage]), ...usages]
  const rules = new GrantedAccess({ documents, shared, addressOf, now: Date.now })
  const granted: GrantedAccess['grants'] = (usage, asked) => rules.grants(usage, asked)
  const server = new XcapServer({ documents, usages: all, schemas: validator, ownerOf: principalOf, granted, root })
  const token = new AdminToken(config.admin.token, Date.now)
  const access = new AccessPoint({
    userOf: (sent) => door.principalOf(sent, 'xcap'),
    checkOperator: (authorization, address) => token.check(authorization, address),
    isUserToken: (text) => readToken(text) !== undefined,
    principalOf,
    trusts: (address) => peers.includes(address),
  })
  const searches = new SearchServer({ search, documents, usages, schemas: validator, principalById, granted })
  return { routes: xcapRoutes({ access, server, search: searches }), xcap: server }
}
