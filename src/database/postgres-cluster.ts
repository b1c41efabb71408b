import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chown, lchown, lstat, mkdir, readdir, readFile, realpath, rename, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { ConfigurationFault } from '../failure.ts'
import type { PostgresAccount } from './postgres-account.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'

const run = promisify(execFile)

/** The superuser of the cluster. Only its owner and root can come near the socket, so there is no password. */
export const superuser = 'parley'

/** Makes what Postgres calls a cluster, its data directory, or checks the one that is there. */
export async function prepareCluster(
  cluster: string,
  binaries: PostgresBinaries,
  account: PostgresAccount,
): Promise<void> {
  const major = await readFile(join(cluster, 'PG_VERSION'), 'utf8').catch(ignoreMissing)
  if (major === undefined) return await makeCluster(cluster, binaries, account)
  if (Number(major) === binaries.major) return await giveTo(cluster, account)
  throw new ConfigurationFault(
    'data.dir',
    `${cluster} was made by Postgres ${major.trim()}, and this is ${binaries.major}`,
    'dump and load it with pg_dump of that version, or start the version of Parley that made it, or choose another directory',
  )
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/** Beside its place first, so that what a kill left half made is never taken for a cluster. */
async function makeCluster(cluster: string, binaries: PostgresBinaries, account: PostgresAccount): Promise<void> {
  const making = `${cluster}.new`
  await rm(making, { recursive: true, force: true })
  await mkdir(making, { mode: 0o700 })
  if (account.uid !== process.geteuid?.()) await chown(making, account.uid, account.gid)
  await initdb(making, binaries, account)
  await rename(making, cluster)
}

async function initdb(directory: string, binaries: PostgresBinaries, account: PostgresAccount): Promise<void> {
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const access = [`--username=${superuser}`, '--auth-local=trust', '--auth-host=reject', '--data-checksums']
  const { program, args, options } = account.command(binaries.initdb, ['-D', directory, ...locale, ...access])
  try {
    await run(program, [...args], { ...options, env: binaries.env, cwd: '/' })
  } catch (error) {
    throw notStarted(error)
  }
}

/** What is wrong, from the last thing that a program of Postgres said. */
export function notStarted(error: unknown): ConfigurationFault {
  const said =
    error instanceof Error ? ('stderr' in error && String(error.stderr).trim()) || error.message : String(error)
  return new ConfigurationFault(
    'data.dir',
    `the embedded Postgres does not start (${said.split('\n').find((line) => /error|FATAL/.test(line)) ?? said})`,
    'look at postgres.log there, or set database.url to a Postgres of your own',
    error,
  )
}

/** Made in another way (root in a namespace, then without): the files change hands. Others than root never get here. */
async function giveTo(path: string, account: PostgresAccount): Promise<void> {
  const entry = await lstat(path)
  if (entry.uid === account.uid) return
  if (entry.isDirectory()) for (const name of await readdir(path)) await giveTo(join(path, name), account)
  await lchown(path, account.uid, account.gid) // the top comes last: a kill in between is made good by the next start
}

/** macOS takes 103 bytes, Linux 107; the socket's own name has 15. */
const longestSocketDir = 103 - '/.s.PGSQL.5432'.length - 1

/** In the cluster, where only its owner comes; where the path is too long for a socket, a directory like it in /tmp. */
export async function socketDirOf(cluster: string, account: PostgresAccount): Promise<string> {
  const real = await realpath(cluster)
  if (Buffer.byteLength(real) <= longestSocketDir && !/["',\n@]/.test(real)) return real
  const hash = createHash('sha256').update(real).digest('hex').slice(0, 16)
  const directory = join(tmpdir().length < 50 ? tmpdir() : '/tmp', `parley-${hash}`)
  await mkdir(directory, { mode: 0o700 }).then(
    () => chown(directory, account.uid, account.gid),
    (error: NodeJS.ErrnoException) => error.code === 'EEXIST' || Promise.reject(error),
  )
  const { uid, mode } = await lstat(directory)
  if (uid === account.uid && (mode & 0o777) === 0o700) return directory
  throw new ConfigurationFault(
    'data.dir',
    `its path is long, and ${directory}, which would hold the socket of Postgres, belongs to somebody else`,
    `remove ${directory} or use a shorter path`,
  )
}

/** Removes the directory that `socketDirOf` made elsewhere, if it did. */
export async function removeSocketDir(socketDir: string): Promise<void> {
  if (/^parley-[0-9a-f]{16}$/.test(basename(socketDir))) await rmdir(socketDir).catch(() => {})
}
