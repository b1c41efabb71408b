import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BenchServer } from './bench-server.ts'
import { addSubscribers, startWith } from './kamailio-server.ts'
import type { BenchPostgres } from './postgres.ts'

const scripts = '/usr/share/kamailio/postgres'
const modules = '/usr/lib/x86_64-linux-gnu/kamailio/modules'

export interface KamailioOptions {
  readonly users: number
  /** Where the modules of Debian's kamailio-presence-modules are, if not beside the others. */
  readonly modules?: string | undefined
}

/** Kamailio as an XCAP server over its `xcap` table; users prove who they are, or whoever asks is believed. */
export async function startKamailioXcap(
  postgres: BenchPostgres,
  { users, digest, ...more }: KamailioOptions & { readonly digest: boolean },
): Promise<BenchServer> {
  const url = await database(postgres, ['standard', 'presence', 'auth_db'])
  await addSubscribers(postgres, url, users)
  return await startWith((port, ctl, folder) => {
    const values = { LISTEN_TCP: `tcp:127.0.0.1:${port}`, TCP_CHILDREN: '16', DBURL: quoted(url), CTL: ctlOf(ctl) }
    return [...argumentsOf('xcap.cfg', folder, values, more.modules), ...(digest ? ['-A', 'DIGEST'] : [])]
  })
}

/** How Kamailio keeps subscriptions: `1` writes them through, `2` writes them back later. */
export type KeptSubscriptions = '1' | '2'

/** Kamailio as a presence server: publications in its database, subscriptions in memory and in the database. */
export async function startKamailioPresence(
  postgres: BenchPostgres,
  kept: KeptSubscriptions,
  options: KamailioOptions,
): Promise<BenchServer> {
  const url = await database(postgres, ['standard', 'presence'])
  return await startWith((port, ctl, folder) => {
    const listen = `127.0.0.1:${port}`
    const values = { LISTEN_UDP: `udp:${listen}`, ADDRESS: `"sip:${listen}"`, SUBS_DB_MODE: kept, DBURL: quoted(url) }
    return argumentsOf('presence.cfg', folder, { ...values, CTL: ctlOf(ctl) }, options.modules)
  })
}

async function database(postgres: BenchPostgres, tables: readonly string[]): Promise<string> {
  const url = await postgres.create('kamailio_bench')
  for (const name of tables) await postgres.query(url, await readFile(`${scripts}/${name}-create.sql`, 'utf8'))
  return url
}

function argumentsOf(
  config: string,
  folder: string,
  values: Readonly<Record<string, string>>,
  more: string | undefined,
): string[] {
  const given = Object.entries(values).flatMap(([name, value]) => ['-A', `${name}=${value}`])
  const path = more === undefined ? modules : `${modules}:${more}`
  return [
    '-f',
    join(import.meta.dirname, 'kamailio', config),
    '-L',
    path,
    '-DD',
    '-E',
    '-m',
    '1024',
    '-M',
    '32',
    '-Y',
    folder,
    ...given,
  ]
}

/** The module wants a password, trust or not. */
function quoted(url: string): string {
  const { username, host, pathname } = new URL(url)
  return `"postgres://${username}:${username}@${host}${pathname}"`
}

const ctlOf = (path: string): string => `"unix:${path}"`
