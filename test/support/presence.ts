import type { HeaderFields, Phone } from './phone.ts'
import type { SipText } from './sip-text.ts'
import type { TestServer } from './start-server.ts'
import { XcapClient } from './xcap-client.ts'

const namespaces =
  'xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid"'

export const pidf = (entity: string, ...parts: readonly string[]): string =>
  `<?xml version="1.0"?><presence ${namespaces} entity="${entity}">${parts.join('')}</presence>`
export const tuple = (id: string, basic = 'open', more = ''): string =>
  `<tuple id="${id}"><status><basic>${basic}</basic></status>${more}</tuple>`
export const person = (activity: string): string =>
  `<dm:person id="p"><r:activities><r:${activity}/></r:activities></dm:person>`

/** Without a body a refresh. */
export const publish = (
  phone: Phone,
  body: string | Buffer | undefined,
  headers: HeaderFields = {},
): Promise<SipText> =>
  phone.request('PUBLISH', phone.aor, {
    headers: { Event: 'presence', Expires: '600', ...headers },
    ...(body !== undefined && { body, contentType: 'application/pidf+xml' }),
  })

export const etagOf = (response: SipText): string => response.header('SIP-ETag') ?? ''

/** Rules that let the users in, or do something else with them; without users, with everybody. */
export function rules(
  ids: readonly string[],
  handling: string,
  shows = '<pr:provide-services><pr:all-services/></pr:provide-services>',
): string {
  const identity = `<cp:identity>${ids.map((id) => `<cp:one id="${id}"/>`).join('')}</cp:identity>`
  return (
    '<cp:ruleset xmlns:cp="urn:ietf:params:xml:ns:common-policy" xmlns:pr="urn:ietf:params:xml:ns:pres-rules">' +
    `<cp:rule id="a"><cp:conditions>${ids.length === 0 ? '' : identity}</cp:conditions>` +
    `<cp:actions><pr:sub-handling>${handling}</pr:sub-handling></cp:actions>` +
    `<cp:transformations>${shows}</cp:transformations></cp:rule></cp:ruleset>`
  )
}

export async function putRules(server: TestServer, user: string, document: string): Promise<void> {
  const path = `/pres-rules/users/${server.aor(user)}/index`
  const { status, text } = await new XcapClient(server, user).put(path, document, 'application/auth-policy+xml')
  if (status >= 300) throw new Error(`${status} ${text}`)
}

export const listOf = (...uris: readonly string[]): string =>
  `<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="l">${uris.map((uri) => `<entry uri="${uri}"/>`).join('')}</list></resource-lists>`

/** What a SUBSCRIBE for a list in its body has (RFC 5367). */
export const askingFor = (server: TestServer, ...uris: readonly string[]) => ({
  resource: server.aor('rls'),
  body: listOf(...uris) as string | Buffer,
  contentType: 'application/resource-lists+xml',
  headers: { Supported: 'eventlist', Require: 'recipient-list-subscribe' } as Record<string, string>,
})
