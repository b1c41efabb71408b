import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { endsWithUs } from './ends-with-us.ts'

export interface SippOptions {
  readonly scenario: string
  /** `host:port` of the server; a scenario that only answers has none. */
  readonly target?: string
  readonly localPort?: number
  readonly transport?: 'u1' | 'un' | 't1' | 'tn'
  /** Calls a second, and how many of them. */
  readonly rate?: number
  readonly calls?: number
  /** Calls at the same time, at most. */
  readonly most?: number
  /** The lines of the injection file, read in sequence, over and over. */
  readonly users?: readonly string[]
  readonly keys?: Readonly<Record<string, string>>
  /** The scenario that answers what comes in besides. */
  readonly outOfCall?: string
  /** Notes the response time of each call. */
  readonly times?: boolean
  /** Notes each message, as text. */
  readonly trace?: boolean
  readonly timeoutSeconds?: number
}

export interface SippResult {
  readonly successful: number
  readonly failed: number
  readonly retransmissions: number
  /** From the first call to the last. */
  readonly seconds: number
  readonly timesMs: readonly number[]
  /** The first that sipp said of unexpected messages. */
  readonly errors: string
  readonly trace: string
}

export interface Sipp {
  readonly done: Promise<SippResult>
  /** Starts no more calls; those under way have `patience` milliseconds to end by themselves. */
  stop(patience?: number): Promise<SippResult>
}

/** Runs sipp in a folder of its own, which goes with it. */
export async function startSipp(options: SippOptions): Promise<Sipp> {
  const folder = await mkdtemp(join(tmpdir(), 'sipp-'))
  const scenario = join(folder, basename(options.scenario))
  await copyFile(options.scenario, scenario)
  if (options.outOfCall !== undefined) await copyFile(options.outOfCall, join(folder, 'out-of-call.xml'))
  if (options.users !== undefined) await writeFile(join(folder, 'users.csv'), sequential(options.users))
  const child = spawn('sipp', sippArguments(options, basename(scenario)), { cwd: folder, stdio: 'ignore' })
  endsWithUs(child, { signal: 'SIGKILL', folder })
  const done = once(child, 'exit').then(() => takeResult(folder))
  return { done, stop: (patience = 500) => stop(child, done, patience) }
}

export async function runSipp(options: SippOptions): Promise<SippResult> {
  return (await startSipp(options)).done
}

const sequential = (users: readonly string[]): string => `SEQUENTIAL\n${users.join('\n')}\n`

function sippArguments(options: SippOptions, scenario: string): string[] {
  const given = ['-sf', scenario, '-i', '127.0.0.1', '-nostdin', '-skip_rlimit', '-deadcall_wait', '0']
  given.push('-default_behaviors', 'all,-bye')
  given.push('-trace_stat', '-stf', 'stat.csv', '-fd', '1', '-trace_err', '-buff_size', '4194304')
  given.push('-timer_resol', '2', '-t', options.transport ?? 'u1', '-l', String(options.most ?? 50_000))
  given.push('-timeout', `${options.timeoutSeconds ?? 120}s`)
  if (options.localPort !== undefined) given.push('-p', String(options.localPort))
  if (options.rate !== undefined) given.push('-r', String(options.rate))
  if (options.calls !== undefined) given.push('-m', String(options.calls))
  if (options.users !== undefined) given.push('-inf', 'users.csv')
  if (options.outOfCall !== undefined) given.push('-oocsf', 'out-of-call.xml')
  if (options.trace) given.push('-trace_msg')
  if (options.times) given.push('-trace_rtt', '-rtt_freq', '1000')
  for (const [name, value] of Object.entries(options.keys ?? {})) given.push('-key', name, value)
  if (options.target !== undefined) given.push(options.target)
  return given
}

async function stop(child: ChildProcess, done: Promise<SippResult>, patience: number): Promise<SippResult> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGUSR1')
  const again = setTimeout(() => child.kill('SIGUSR1'), patience) // a second signal ends the calls
  const hard = setTimeout(() => child.kill('SIGKILL'), patience + 5_000)
  return done.finally(() => {
    clearTimeout(again)
    clearTimeout(hard)
  })
}

async function takeResult(folder: string): Promise<SippResult> {
  try {
    const names = await readdir(folder)
    const read = async (ending: string) => {
      const name = names.find((one) => one.endsWith(ending))
      return name === undefined ? '' : readFile(join(folder, name), 'utf8')
    }
    const errors = (await read('_errors.log')).slice(0, 1_000)
    return { ...toResult(await read('stat.csv'), await read('_rtt.csv')), errors, trace: await read('_messages.log') }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function toResult(stat: string, times: string): Omit<SippResult, 'errors' | 'trace'> {
  const [names = '', ...rows] = stat.trim().split('\n')
  const last = rows.at(-1)?.split(';') ?? []
  const field = (name: string) => last[names.split(';').indexOf(name)] ?? '0'
  return {
    successful: Number(field('SuccessfulCall(C)')),
    failed: Number(field('FailedCall(C)')),
    retransmissions: Number(field('Retransmissions(C)')),
    seconds: toSeconds(field('ElapsedTime(C)')),
    timesMs: times
      .split('\n')
      .slice(1)
      .filter(Boolean)
      .map((line) => Number(line.split(';')[1])),
  }
}

/** sipp writes `00:00:20:003000` or `00:00:20`. */
function toSeconds(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0, micro = 0] = text.split(':').map(Number)
  return hours * 3600 + minutes * 60 + seconds + micro / 1e6
}
