import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endsWithUs } from '../support/ends-with-us.ts'
import { freePort } from '../support/free-port.ts'
import { type BenchServer, domain, type Mode, password } from './bench-server.ts'
import type { BenchPostgres } from './postgres.ts'

const defines: Readonly<Record<Mode, string>> = {
  relay: 'RELAY',
  stored: 'STORERELAY',
  absent: 'OFFLINE',
  deferred: 'DEFER',
  register: 'DIGEST',
}

const scripts = '/usr/share/kamailio/postgres'
const hist = `create table hist(id bigserial primary key, owner text, peer text, callid text, ctype text, body text,
  at timestamptz default now()); create index on hist(owner, id);`

/** Kamailio from Debian, on a database of its own made by Kamailio's scripts. */
export async function startKamailio(postgres: BenchPostgres, mode: Mode, users: number): Promise<BenchServer> {
  const url = await postgres.create('kamailio_bench')
  for (const name of ['standard', 'usrloc', 'msilo', 'auth_db']) {
    await postgres.query(url, await readFile(`${scripts}/${name}-create.sql`, 'utf8'))
  }
  await postgres.query(url, hist)
  if (mode === 'register') await addSubscribers(postgres, url, users)
  return await startWith((port, ctl, folder) => kamailioArguments(url, port, ctl, folder, mode))
}

/** Kamailio as a stateful proxy that stays in the path of each session, without a database. */
export function startKamailioProxy(): Promise<BenchServer> {
  return startWith((port, ctl, folder) => {
    const values = { LISTEN_UDP: `udp:127.0.0.1:${port}`, CTL: `"unix:${ctl}"` }
    const given = Object.entries(values).flatMap(([name, value]) => ['-A', `${name}=${value}`])
    return [
      '-f',
      join(import.meta.dirname, 'kamailio', 'session.cfg'),
      '-DD',
      '-E',
      '-m',
      '1024',
      '-Y',
      folder,
      ...given,
    ]
  })
}

/** Kamailio with these arguments; resolves when it answers. */
export async function startWith(args: (port: number, ctl: string, folder: string) => string[]): Promise<BenchServer> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-kamailio-'))
  const port = await freePort()
  const ctl = join(folder, 'ctl')
  const child = spawn('kamailio', args(port, ctl, folder), { cwd: folder, stdio: 'ignore' })
  endsWithUs(child, { signal: 'SIGKILL', folder })
  const ended = once(child, 'exit')
  await answering(ctl)
  return {
    name: 'kamailio',
    target: `127.0.0.1:${port}`,
    pids: [child.pid ?? 0],
    memory: async () => Number(/real_used: (\d+)/.exec(kamcmd(ctl, 'core.shmmem'))?.[1]),
    close: async () => {
      child.kill('SIGTERM')
      const hard = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(hard)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function kamailioArguments(url: string, port: number, ctl: string, folder: string, mode: Mode): string[] {
  const { username, host, pathname } = new URL(url)
  const dbUrl = `postgres://${username}:${username}@${host}${pathname}` // the module wants a password, trust or not
  const values = {
    LISTEN_UDP: `udp:127.0.0.1:${port}`,
    DBURL: `"${dbUrl}"`,
    SQLCON: `"db=>${dbUrl}"`,
    CTL: `"unix:${ctl}"`,
    OUTBOUND: `"sip:127.0.0.1:${port}"`,
  }
  const given = Object.entries(values).flatMap(([name, value]) => ['-A', `${name}=${value}`])
  const config = join(import.meta.dirname, 'kamailio', 'kamailio.cfg')
  return ['-f', config, '-DD', '-E', '-m', '1024', '-Y', folder, '-A', defines[mode], ...given]
}

/** Users bob1, bob2 …, as digest authentication wants them. */
export async function addSubscribers(postgres: BenchPostgres, url: string, users: number): Promise<void> {
  const rows = Array.from({ length: users }, (_, at) => {
    const ha1 = createHash('md5')
      .update(`bob${at + 1}:${domain}:${password}`)
      .digest('hex')
    return `('bob${at + 1}','${domain}','${ha1}')`
  })
  await postgres.query(url, `insert into subscriber(username, domain, ha1) values ${rows.join(',')}`)
}

async function answering(ctl: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      kamcmd(ctl, 'core.uptime')
      return
    } catch (error) {
      if (tries === 100) throw error
      await sleep(100)
    }
  }
}

const kamcmd = (ctl: string, command: string): string =>
  execFileSync('kamcmd', ['-s', `unix:${ctl}`, command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
