import { execFile } from 'node:child_process'
import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ConfigurationFault } from '../failure.ts'

const run = promisify(execFile)

/** Under which user Postgres runs. It refuses root, so a server started by root has to find another way. */
export interface PostgresAccount {
  /** Who owns its files. */
  readonly uid: number
  readonly gid: number
  /** A command as it has to be started, with the options that `spawn` needs for it. */
  command(program: string, args: readonly string[]): Command
}

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly options: { readonly uid?: number; readonly gid?: number }
}

/** `cluster` is Postgres's data directory, which need not exist yet; `binaries` must be reachable as well. */
export async function accountFor(cluster: string, binaries: string): Promise<PostgresAccount> {
  const uid = process.geteuid?.() ?? 0
  const owner = await ownerOf(cluster)
  if (uid !== 0) return ownAccount(cluster, uid, process.getegid?.() ?? 0, owner)
  for (const account of await accountsOfRoot(cluster, owner)) {
    if ((await reaches(account, dirname(cluster))) && (await reaches(account, binaries))) return account
  }
  throw new ConfigurationFault(
    'data.dir',
    `root may not run Postgres, and no other user can reach ${dirname(cluster)} and ${binaries}`,
    'start as another user, move data.dir, or set database.url to a Postgres of your own',
  )
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

function ownAccount(cluster: string, uid: number, gid: number, owner: Owner | undefined): PostgresAccount {
  if (owner === undefined || owner.uid === uid) return plain(uid, gid)
  throw new ConfigurationFault(
    'data.dir',
    `${cluster} belongs to the user with id ${owner.uid}, and this is ${uid}`,
    `start as that user, or chown -R ${uid} ${dirname(cluster)}`,
  )
}

const plain = (uid: number, gid: number): PostgresAccount => ({
  uid,
  gid,
  command: (program, args) => ({ program, args, options: {} }),
})

const dropped = ({ uid, gid }: Owner): PostgresAccount => ({
  uid,
  gid,
  command: (program, args) => ({ program, args, options: { uid, gid } }),
})

/** In a user namespace of its own root has another name, so Postgres starts, and is still root before files. */
const renamed = ({ uid, gid }: Owner): PostgresAccount => ({
  uid: 0,
  gid: 0,
  command: (program, args) => ({
    program: 'unshare',
    args: ['--user', `--map-user=${uid}`, `--map-group=${gid}`, '--', program, ...args],
    options: {},
  }),
})

/** Best first: who made the data, who owns the place, then whoever can. */
async function accountsOfRoot(cluster: string, owner: Owner | undefined): Promise<PostgresAccount[]> {
  const place = await ownerOfNearest(dirname(cluster))
  const users = await namedUsers()
  const [name] = users
  const root = name !== undefined && (await mayRename(name)) ? [renamed(name)] : []
  const wish = (wished: Owner | undefined) => (wished === undefined ? [] : wished.uid === 0 ? root : [dropped(wished)])
  return [...wish(owner), ...wish(place), ...root, ...users.map(dropped)]
}

/** Users that every system has and that own nothing, or nothing but a Postgres. */
async function namedUsers(): Promise<Owner[]> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const users = new Map(passwd.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.split(':')]))
  return ['postgres', 'nobody'].flatMap((name) => {
    const [, , uid, gid] = users.get(name) ?? []
    return uid === undefined || gid === undefined ? [] : [{ uid: Number(uid), gid: Number(gid) }]
  })
}

/** Containers often forbid namespaces; busybox has another unshare. */
async function mayRename(as: Owner): Promise<boolean> {
  const { program, args } = renamed(as).command('true', [])
  return run(program, [...args], { timeout: 5000 }).then(
    () => true,
    () => false,
  )
}

/** Whether the account may enter every directory on the way to `path`, or to that part of it that exists. */
async function reaches(account: PostgresAccount, path: string): Promise<boolean> {
  for (let at = await nearest(path); ; at = dirname(at)) {
    const { uid, gid, mode } = await stat(at)
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001
    if ((mode & bit) === 0) return false
    if (at === '/') return true
  }
}

async function nearest(path: string): Promise<string> {
  return realpath(path).catch(() => nearest(dirname(path)))
}

async function ownerOfNearest(path: string): Promise<Owner | undefined> {
  return ownerOf(await nearest(path))
}

async function ownerOf(path: string): Promise<Owner | undefined> {
  return stat(join(path)).catch(() => undefined)
}
