import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type FileHandle, open, readdir, readFile, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { PostgresAccount } from './postgres-account.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'

const run = promisify(execFile)

/** A running server process of Postgres, by its pid: whether we or a predecessor started it makes no difference. */
export interface Postmaster {
  readonly pid: number
  readonly socketDir: string
}

export interface Launch {
  readonly cluster: string
  readonly logFile: string
  readonly settings: Readonly<Record<string, string>>
  readonly binaries: PostgresBinaries
  readonly account: PostgresAccount
}

/** Recovery after a crash replays the log since the last checkpoint, which takes a while on a slow disk. */
const readyWithinMs = 300_000
const pollMs = 20
const largestLog = 10 * 1024 * 1024

/** Starts Postgres out of reach of the terminal's signals; resolves when it serves. Throws with what it wrote. */
export async function launchPostmaster(launch: Launch, socketDir: string): Promise<Postmaster> {
  const log = await openLogFile(launch)
  try {
    const child = spawnPostgres(launch, socketDir, log.fd)
    child.unref()
    return await readyOrEnded(launch, child)
  } finally {
    await log.close()
  }
}

async function openLogFile({ logFile, account }: Launch): Promise<FileHandle> {
  const size = await stat(logFile).then(
    (file) => file.size,
    () => 0,
  )
  if (size > largestLog) await rename(logFile, `${logFile}.1`)
  const log = await open(logFile, 'a', 0o600)
  if (process.geteuid?.() === 0) await log.chown(account.uid, account.gid)
  return log
}

function spawnPostgres(launch: Launch, socketDir: string, log: number): ChildProcess {
  const settings = Object.entries({ ...launch.settings, unix_socket_directories: `"${socketDir}"` })
  const flags = ['-D', launch.cluster, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const { program, args, options } = launch.account.command(launch.binaries.postgres, flags)
  const { env } = launch.binaries
  return spawn(program, args, { ...options, env, cwd: '/', detached: true, stdio: ['ignore', log, log] })
}

function readyOrEnded(launch: Launch, child: ChildProcess): Promise<Postmaster> {
  return new Promise((resolve, reject) => {
    let running = true
    child.on('error', reject)
    child.on('exit', async () => {
      reject(new Error(await lastLine(launch.logFile)))
      running = false
    })
    ready(launch.cluster, child.pid, () => running).then(resolve, reject)
  })
}

/** The server process that has `cluster` open. One that is starting is waited for. */
export async function runningPostmaster(cluster: string): Promise<(Postmaster & { stopping: boolean }) | undefined> {
  const pidFile = await readPidFile(cluster)
  if (pidFile === undefined || !(await isPostmasterOf(cluster, pidFile.pid))) return undefined
  const { pid, status } = pidFile
  if (status === 'stopping') return { ...pidFile, stopping: true }
  const started = await ready(cluster, pid, () => isAlive(pid)).catch(() => undefined)
  return started && { ...started, stopping: false }
}

/** Lets clients finish for a moment, then ends their sessions, then, if that hangs, ends without a checkpoint. */
export async function stopPostmaster({ pid }: Postmaster): Promise<void> {
  const steps = [
    ['SIGTERM', 1000],
    ['SIGINT', 20_000],
    ['SIGQUIT', 5000],
    ['SIGKILL', 5000],
  ] as const
  for (const [signal, waitMs] of steps) {
    if (!isAlive(pid)) return
    tell(pid, signal)
    await ended(pid, waitMs)
  }
}

/**
 * Files that name a pid which now belongs to a stranger (after a restart of the machine or container), or to a zombie,
 * would keep Postgres from starting. They go when no process at all works in the cluster; where that cannot be seen,
 * Postgres decides.
 */
export async function removeStalePidFiles(cluster: string, socketDir: string): Promise<void> {
  if (process.platform !== 'linux') return
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  for (const pid of processes) if (await worksIn(cluster, pid)) return
  await rm(join(cluster, 'postmaster.pid'), { force: true })
  await rm(join(socketDir, '.s.PGSQL.5432.lock'), { force: true })
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return process.platform !== 'linux' || !isZombie(pid)
}

/** Dead, and not yet collected by its parent: in a container there may be nobody who ever does. */
function isZombie(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return true
  }
}

function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // it ended by itself just now
  }
}

async function ended(pid: number, withinMs: number): Promise<void> {
  for (const until = Date.now() + withinMs; isAlive(pid) && Date.now() < until; ) await pause(pollMs)
}

async function ready(cluster: string, pid: number | undefined, running: () => boolean): Promise<Postmaster> {
  for (const until = Date.now() + readyWithinMs; running() && Date.now() < until; await pause(pollMs)) {
    const pidFile = await readPidFile(cluster)
    if (pidFile?.pid === pid && pidFile?.status === 'ready') return pidFile
  }
  throw new Error('Postgres does not become ready')
}

interface PidFile extends Postmaster {
  readonly status: string
}

/** Its lines: pid, directory, start time, port, socket directory, address, shared memory, status. */
async function readPidFile(cluster: string): Promise<PidFile | undefined> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')
  const [pid, , , , socketDir, , , status] = text.split('\n')
  if (pid === undefined || socketDir === undefined) return undefined
  return { pid: Number(pid), socketDir, status: status?.trim() ?? '' }
}

async function isPostmasterOf(cluster: string, pid: number): Promise<boolean> {
  if (!isAlive(pid)) return false
  if (process.platform === 'linux') return await worksIn(cluster, String(pid))
  const { stdout } = await run('ps', ['-p', String(pid), '-o', 'command=']).catch(() => ({ stdout: '' }))
  return stdout.includes(`-D ${cluster}`)
}

async function worksIn(cluster: string, pid: string): Promise<boolean> {
  const [directory, ours] = await Promise.all([readlink(`/proc/${pid}/cwd`).catch(() => ''), realpath(cluster)])
  return directory === ours
}

async function lastLine(file: string): Promise<string> {
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')
  return lines.findLast((line) => /FATAL|PANIC|error/.test(line)) ?? lines.at(-1) ?? 'Postgres ended without a word'
}
