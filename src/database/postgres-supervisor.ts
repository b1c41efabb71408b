import { setTimeout as pause } from 'node:timers/promises'
import type { Log } from './log.ts'
import { notStarted, prepareCluster, removeSocketDir, socketDirOf } from './postgres-cluster.ts'
import {
  isAlive,
  type Launch,
  launchPostmaster,
  type Postmaster,
  removeStalePidFiles,
  stopPostmaster,
} from './postmaster.ts'

const watchMs = 250
const longestPauseMs = 5000
/** What is left of one that was killed may hold its memory for a moment longer. */
const remainsMs = 10_000

/** Makes the cluster if there is none, and starts Postgres on it. */
export async function start(launch: Launch): Promise<Postmaster> {
  await prepareCluster(launch.cluster, launch.binaries, launch.account)
  const socketDir = await socketDirOf(launch.cluster, launch.account)
  for (const until = Date.now() + remainsMs; ; await pause(watchMs)) {
    await removeStalePidFiles(launch.cluster, socketDir)
    try {
      return await launchPostmaster(launch, socketDir)
    } catch (error) {
      const remains = error instanceof Error && /shared memory block|lock file/.test(error.message)
      if (!remains || Date.now() > until) throw notStarted(error)
    }
  }
}

/** Starts Postgres again when it has died; what it had not finished, the breaker has answered. */
export class PostgresSupervisor {
  readonly #launch: Launch
  readonly #log: Log
  /** Undefined while it is dead: its number may soon be that of a stranger. */
  #postmaster: Postmaster | undefined
  #timer: NodeJS.Timeout | undefined
  #restarting: Promise<void> | undefined
  #pauseMs = watchMs
  #stopping = false

  constructor(launch: Launch, postmaster: Postmaster, log: Log) {
    this.#launch = launch
    this.#postmaster = postmaster
    this.#log = log
    this.#watchAfter(watchMs)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#timer)
    await this.#restarting
    if (this.#postmaster === undefined) return
    await stopPostmaster(this.#postmaster)
    await removeSocketDir(this.#postmaster.socketDir)
  }

  #watchAfter(ms: number): void {
    if (this.#stopping) return
    this.#timer = setTimeout(() => {
      if (this.#postmaster !== undefined && isAlive(this.#postmaster.pid)) this.#watchAfter(watchMs)
      else this.#restarting = this.#restart()
    }, ms)
    this.#timer.unref()
  }

  async #restart(): Promise<void> {
    this.#log.error({ pid: this.#postmaster?.pid }, 'embedded Postgres has died')
    this.#postmaster = undefined
    try {
      this.#postmaster = await start(this.#launch)
      this.#pauseMs = watchMs
      this.#log.info({ pid: this.#postmaster.pid }, 'embedded Postgres started again')
    } catch (error) {
      this.#log.error({ err: error }, 'embedded Postgres does not start again')
      this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs)
    }
    this.#watchAfter(this.#pauseMs)
  }
}
