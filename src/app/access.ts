import { AccessTokens, TokenEndpoint, UserDoor } from '../enablers/access/index.ts'
import type { HttpRoutes } from '../operations/index.ts'
import type { Parts } from './parts.ts'
import type { Signalling } from './signalling.ts'
import type { Started } from './started.ts'

/** The door of users over HTTP, by digest or with access tokens. */
export interface Access {
  readonly door: UserDoor
  readonly routes: HttpRoutes
}

export function buildAccess(parts: Parts, { authentication, addresses }: Signalling, started: Started): Access {
  const { config, database, subscribers, log } = parts
  const tokens = new AccessTokens({ database, ...config.oauth, now: Date.now, log: log.child({ part: 'access' }) })
  started.add(() => tokens.close())
  const door = new UserDoor({
    realm: config.sip.auth.realm,
    tokens,
    prove: (claim) => authentication.prove(claim),
    subscriberById: (id) => subscribers.byId(id),
    credentialOf: (username) => subscribers.credentials(username),
  })
  const endpoint = new TokenEndpoint({
    tokens,
    door,
    tokenLifetime: config.oauth.tokenLifetime,
    provePassword: (claim) => authentication.provePassword(claim),
    usernameOf: async (address) => {
      const aor = addresses.of(address)
      return aor === undefined ? undefined : (await subscribers.find(aor))?.username
    },
  })
  return { door, routes: endpoint.routes }
}
