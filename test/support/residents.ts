import { expect } from 'vitest'
import type { Phone } from './phone.ts'
import { PhoneSubscription } from './phone-subscription.ts'
import type { TestServer } from './start-server.ts'
import { type StoredThings, storeThings } from './stored-things.ts'
import { XcapClient } from './xcap-client.ts'

/** A user who keeps something of every kind at the server, each with a word in it that nobody else may see. */
export interface Resident {
  readonly user: string
  readonly aor: string
  readonly secret: string
  readonly phone: Phone
  readonly xcap: XcapClient
  /** Of their publication. */
  readonly etag: string
  /** The address of their list. */
  readonly list: string
  /** To their own presence. */
  readonly subscription: PhoneSubscription
  /** Paths of their documents. */
  readonly documents: readonly KeptDocument[]
  readonly stored: StoredThings
}

export interface KeptDocument {
  readonly path: string
  readonly type: string
  readonly content: string
}

const policy = 'application/auth-policy+xml'
const oma = 'org.openmobilealliance'

export async function moveIn(server: TestServer, user: string): Promise<Resident> {
  const secret = `secret-of-${user}`
  const stored = await storeThings(server, user, secret)
  const phone = await server.online(user)
  const list = server.aor(`friends-of-${user}`)
  const documents = documentsOf(phone.aor, secret, list)
  const xcap = new XcapClient(server, user)
  for (const { path, content, type } of documents) {
    const { status, text } = await xcap.put(path, content, type)
    expect(status, `${path}: ${text}`).toBe(201)
  }
  const published = await phone.request('PUBLISH', phone.aor, {
    headers: { Event: 'presence', Expires: '600' },
    contentType: 'application/pidf+xml',
    body: presence(phone.aor, secret),
  })
  expect(published.status).toBe(200)
  const subscription = await PhoneSubscription.begin(phone, 'presence')
  expect((await subscription.notify()).text).toContain(secret)
  return {
    user,
    aor: phone.aor,
    secret,
    phone,
    xcap,
    etag: published.header('SIP-ETag') ?? '',
    list,
    subscription,
    documents,
    stored,
  }
}

export const presence = (aor: string, word: string): string =>
  `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${aor}"><tuple id="t"><status><basic>open</basic></status><note>${word}</note></tuple></presence>`

/** Nobody else is named in any of them. */
function documentsOf(aor: string, secret: string, list: string): readonly KeptDocument[] {
  const at = (auid: string, name: string) => `/${auid}/users/${aor}/${name}`
  const rules = `<ruleset xmlns="urn:ietf:params:xml:ns:common-policy"><rule id="${secret}"><conditions><identity><one id="${aor}"/></identity></conditions></rule></ruleset>`
  const lists = 'xmlns:rl="urn:ietf:params:xml:ns:resource-lists"'
  return [
    {
      path: at('resource-lists', 'index'),
      type: 'application/resource-lists+xml',
      content: `<rl:resource-lists ${lists}><rl:list name="l"><rl:entry uri="sip:${secret}@x.test"/></rl:list></rl:resource-lists>`,
    },
    {
      path: at('rls-services', 'index'),
      type: 'application/rls-services+xml',
      content: `<rls-services xmlns="urn:ietf:params:xml:ns:rls-services" ${lists}><service uri="${list}"><list name="l"><rl:entry uri="sip:${secret}@x.test"/></list></service></rls-services>`,
    },
    { path: at('pres-rules', 'index'), type: policy, content: rules },
    { path: at(`${oma}.pres-rules`, 'pres-rules'), type: policy, content: rules },
    { path: at(`${oma}.access-rules`, 'access-rules'), type: policy, content: rules },
    { path: at('pidf-manipulation', 'index'), type: 'application/pidf+xml', content: presence(aor, secret) },
    {
      path: at(`${oma}.groups`, 'choir'),
      type: 'application/vnd.oma.poc.groups+xml',
      content: `<group xmlns="urn:oma:xml:poc:list-service"><list-service uri="${list}-choir"><display-name>${secret}</display-name><list/></list-service></group>`,
    },
    {
      path: at('org.parley.service-settings', 'index'),
      type: 'application/vnd.parley.service-settings+xml',
      content: `<service-settings xmlns="urn:parley:service-settings"><senders><blocked><sender uri="sip:${secret}@x.test"/></blocked></senders></service-settings>`,
    },
  ]
}
