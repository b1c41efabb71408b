import { serverUri, writeListening } from './address.ts'

interface Address {
  readonly name: 'sip' | 'msrp' | 'http'
  readonly transport: string
  readonly address: string
  readonly port: number
}

interface DemoUser {
  readonly aor: string
  readonly tel: string
  readonly password: string
}

/** A server that serves, as far as its start message tells of it. */
export interface Started {
  readonly addresses: readonly Address[]
  readonly demo?: { readonly users: readonly DemoUser[]; readonly adminToken: string } | undefined
}

export interface Needs {
  readonly domain: string
  readonly dataDir: string
  /** How the command line is called here. */
  readonly command: string
  /** What a command has to be told to find this server: empty where the defaults lead to it. */
  readonly settings: readonly string[]
}

/** What is printed once the server serves: first for programs, a line for each address, then what to try. */
export function writeStartMessage({ addresses, demo }: Started, needs: Needs): string {
  const ready = `parley ready: ${needs.domain}${demo ? ', demo mode' : ''}`
  const lines = [ready, ...addresses.map(addressLine)]
  return (demo ? [...lines, '', ...demoLines(addresses, demo, needs)] : lines).join('\n')
}

function addressLine({ name, transport, ...where }: Address): string {
  return name === 'http' ? `http ${writeListening(where)}` : `${name} ${writeListening(where, transport)}`
}

function demoLines(addresses: readonly Address[], demo: NonNullable<Started['demo']>, needs: Needs): string[] {
  const http = addresses.find(({ name }) => name === 'http')
  const options = clientOptions(addresses, needs).map((option) => ` ${option}`)
  const users = demo.users.map(({ aor, tel, password }) => `  ${aor}  ${tel}  password ${password}`)
  return [
    `No domain is configured, so here are three users (kept in ${needs.dataDir}/demo-users.json):`,
    ...users,
    '',
    'Try, each in a terminal of its own:',
    `  ${needs.command} listen bob${options.join('')}`,
    `  ${needs.command} message alice bob "hello"${options.join('')}`,
    `  ${needs.command} chat alice bob${options.join('')}`,
    ...(http ? [`  curl -H 'Authorization: Bearer ${demo.adminToken}' ${adminUrl(http)}`] : []),
  ]
}

const adminUrl = (http: Address) => `http://${writeListening(http)}/admin/v1/users`

/** The command line looks at the configuration: what was set for the server must be said again, and a port of the kernel. */
function clientOptions(addresses: readonly Address[], { settings }: Needs): string[] {
  const server = serverUri(addresses.filter(({ name }) => name === 'sip'))
  const options = settings.map((setting) => `--set ${quoted(setting)}`)
  return server === undefined || server === defaultServer ? options : [...options, `--server ${quoted(server)}`]
}

const defaultServer = 'sip:127.0.0.1:5060;transport=tcp'

const quoted = (text: string) => (/^[\w./:=@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)
