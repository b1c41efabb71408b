import { resolve } from 'node:path'
import { z } from 'zod'
import { ConfigurationFault } from '../failure.ts'
import { nest } from './nest.ts'
import { type KeyNotes, notes } from './section.ts'
import { settings } from './settings.ts'

type Settings = z.output<typeof settings>

/** What the server is told to be. Times are milliseconds unless the name says seconds or is one of SIP's Expires. */
export type Config = Omit<Settings, 'domain' | 'sip'> & {
  /** No domain was configured: the server makes users and an administrator's token of its own. */
  readonly demo: boolean
  readonly domain: string
  readonly sip: Omit<Settings['sip'], 'auth'> & {
    readonly auth: Omit<Settings['sip']['auth'], 'realm'> & { readonly realm: string }
  }
}

/** A key of the configuration: `sip.trustedPeers`. */
export interface Key extends KeyNotes {
  readonly name: string
  readonly variable: string
}

/** Every key, in the order of the schema. */
export const keys: readonly Key[] = keysIn(settings, [])

function keysIn(schema: z.core.$ZodType, path: readonly string[]): Key[] {
  const about = notes.get(schema)
  if (about) return [{ ...about, name: path.join('.'), variable: variableOf(path) }]
  const inner = schema instanceof z.ZodReadonly ? schema.unwrap() : schema
  if (!(inner instanceof z.ZodObject)) throw new Error(`${path.join('.')} has no notes`)
  return Object.entries(inner.shape).flatMap(([name, value]) => keysIn(value, [...path, name]))
}

/** `sip.trustedPeers` is PARLEY_SIP_TRUSTED_PEERS. */
function variableOf(path: readonly string[]): string {
  const words = path.map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter}`))
  return `PARLEY_${words.join('_').toUpperCase()}`
}

/** The configuration that these values, by key and as text, make. `source` tells where a wrong one came from. */
export function configFrom(
  values: ReadonlyMap<string, string>,
  source: (name: string) => string | undefined = () => undefined,
): Config {
  const result = settings.safeParse(nest(keys.map(({ name }) => [name, values.get(name)])))
  if (!result.success) throw faultOf(result.error, values, source)
  checkTogether(result.data)
  const { domain, data, sip, ...rest } = result.data
  const name = domain ?? 'parley.test'
  const auth = { ...sip.auth, realm: sip.auth.realm ?? name }
  return { ...rest, demo: domain === undefined, domain: name, data: { dir: resolve(data.dir) }, sip: { ...sip, auth } }
}

function faultOf(
  error: z.ZodError,
  values: ReadonlyMap<string, string>,
  source: (name: string) => string | undefined,
): ConfigurationFault {
  const [issue] = error.issues
  const name = issue?.path.join('.') ?? ''
  const from = source(name)
  const shown = keys.find((known) => known.name === name)?.secret ? 'the value' : JSON.stringify(values.get(name) ?? '')
  return new ConfigurationFault(name, `${shown}${from ? ` (${from})` : ''} is not accepted`, issue?.message ?? '')
}

/** What no key can tell alone. */
function checkTogether(all: Settings): void {
  const { sip, msrp } = all
  checkSessions(all)
  if (sip.stack === 'drachtio') checkDaemon(sip)
  else checkCertificate(sip, 'sip.listen', sip.listen)
  checkCertificate(sip, 'msrp.listen', msrp.listen)
  const { minExpires, maxExpires, defaultExpires } = sip.registrar
  if (minExpires > maxExpires) {
    throw new ConfigurationFault('sip.registrar.minExpires', 'is more than sip.registrar.maxExpires', 'lower it')
  }
  if (defaultExpires < minExpires || defaultExpires > maxExpires) {
    const bounds = `${minExpires} to ${maxExpires}`
    throw new ConfigurationFault(
      'sip.registrar.defaultExpires',
      'is outside minExpires to maxExpires',
      `give ${bounds}`,
    )
  }
}

function checkDaemon({ drachtio }: Settings['sip']): void {
  const missing = (['host', 'secret'] as const).find((name) => drachtio[name] === undefined)
  if (missing) {
    throw new ConfigurationFault(
      `sip.drachtio.${missing}`,
      'is needed for sip.stack drachtio',
      'give that of its admin port',
    )
  }
}

function checkSessions({ session: { expires, minExpires } }: Settings): void {
  if (expires === 0 || expires >= minExpires) return
  throw new ConfigurationFault('session.expires', 'is less than session.minExpires', `give 0, or ${minExpires} or more`)
}

function checkCertificate(
  { tls }: Settings['sip'],
  key: string,
  listen: readonly { readonly transport: string }[],
): void {
  const secure = listen.find(({ transport }) => transport === 'tls' || transport === 'wss')
  const missing = tls.cert === undefined ? 'sip.tls.cert' : tls.key === undefined ? 'sip.tls.key' : undefined
  if (secure && missing) {
    throw new ConfigurationFault(missing, `is needed for ${secure.transport} in ${key}`, 'give the path of a PEM file')
  }
}
