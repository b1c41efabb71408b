import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { embeddedUrl } from '../../src/database/index.ts'
import { endsWithUs } from './ends-with-us.ts'
import { TypedCommand } from './typed-command.ts'
import type { Place, WireTransport } from './wire.ts'

const root = resolve(import.meta.dirname, '../..')
/** The command of a checkout, without npm between: signals and exit statuses are the server's own. */
const parley = ['--import', 'tsx', join(root, 'src/main.ts')]

export interface SpawnOptions {
  readonly databaseUrl?: string
  /** `key.path` and value, as after `--set`. */
  readonly settings?: Readonly<Record<string, string>>
  readonly readyWithin?: number
  /** For the server's own process, such as `--inspect`. */
  readonly nodeArguments?: readonly string[]
}

/** The server as a process of its own, which can be killed and started again on the same ports and data. */
export class SpawnedServer {
  readonly dataDir: string
  readonly #options: SpawnOptions
  #child: ChildProcess | undefined
  #addresses: readonly Place[] = []
  #http = ''
  #msrpPort = 0
  /** The last of what it wrote to standard error. */
  errors = ''

  constructor(options: SpawnOptions, dataDir: string) {
    this.#options = options
    this.dataDir = dataDir
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }
  get http(): string {
    return this.#http
  }
  /** The port that MSRP over TCP comes to. */
  get msrpPort(): number {
    return this.#msrpPort
  }
  address(transport: WireTransport): Place {
    const found = this.#addresses.find((one) => one.transport === transport)
    if (found === undefined) throw new Error(`the server does not listen on ${transport}`)
    return found
  }

  /** Starts it; after the first time on the ports it had then. Resolves when it says that it serves. */
  async start(): Promise<void> {
    const settings = { ...this.#options.settings, ...this.#samePorts() }
    const child = spawn(
      process.execPath,
      [...(this.#options.nodeArguments ?? []), ...parley, 'start', ...this.#arguments(settings)],
      {
        cwd: root,
        env: withoutParley(),
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    this.#child = child
    endsWithUs(child, { signal: 'SIGTERM' })
    child.stderr.on('data', (chunk: Buffer) => {
      this.errors = (this.errors + chunk.toString()).slice(-20_000)
    })
    await this.#ready(child, (settings['sip.listen'] ?? '').split(',').length + 1)
  }

  /** Runs one command of the command line on the same configuration, such as `user add …`. */
  async run(...command: string[]): Promise<{ code: number; output: string; errors: string }> {
    const child = spawn(process.execPath, [...parley, ...command, ...this.#arguments(this.#options.settings ?? {})], {
      cwd: root,
      env: withoutParley(),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let errors = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk
    })
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk
    })
    const [code] = (await once(child, 'close')) as [number]
    return { code, output, errors }
  }

  /** Begins a command that somebody types to, such as `chat …`. */
  begin(...command: string[]): TypedCommand {
    const all = [...parley, ...command, ...this.#arguments(this.#options.settings ?? {})]
    const child = spawn(process.execPath, all, { cwd: root, env: withoutParley(), stdio: 'pipe' })
    endsWithUs(child, { signal: 'SIGTERM' })
    return new TypedCommand(child)
  }

  /** Sends a signal and waits for the end; the exit status, or the signal that ended it. */
  /** Rows of a table of the embedded Postgres: what is written beside an answer may come after it. */
  async rowsIn(table: string): Promise<number> {
    const client = new pg.Client({ connectionString: (await embeddedUrl(this.dataDir)) ?? '' })
    await client.connect()
    try {
      const { rows } = await client.query<{ count: string }>(`select count(*) from ${table}`)
      return Number(rows[0]?.count)
    } finally {
      await client.end()
    }
  }

  async kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? 0
    const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
    child.kill(signal)
    const [code, by] = await ended
    return code ?? by ?? 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const hard = setTimeout(() => this.#child?.kill('SIGKILL'), 20_000)
    await this.kill('SIGTERM')
    clearTimeout(hard)
    await rm(this.dataDir, { recursive: true, force: true })
  }

  #arguments(settings: Readonly<Record<string, string>>): string[] {
    const all: Record<string, string> = { 'data.dir': this.dataDir, ...settings }
    if (this.#options.databaseUrl !== undefined) all['database.url'] = this.#options.databaseUrl
    return Object.entries(all).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  }

  #samePorts(): Record<string, string> {
    if (this.#addresses.length === 0) return {}
    const listen = this.#addresses.map(({ transport, address, port }) => `${transport}:${bracketed(address)}:${port}`)
    return { 'sip.listen': listen.join(','), 'http.listen': this.#http }
  }

  async #ready(child: ChildProcess, expected: number): Promise<void> {
    const late = setTimeout(() => child.kill('SIGKILL'), this.#options.readyWithin ?? 60_000)
    const lines: string[] = []
    try {
      if (child.stdout === null) throw new Error('no standard output')
      for await (const line of createInterface({ input: child.stdout })) {
        lines.push(line)
        if (lines.some((one) => one.startsWith('parley ready')) && this.#take(lines) === expected) break
      }
    } finally {
      clearTimeout(late)
    }
    if (this.#addresses.length + 1 < expected) throw new Error(`not ready: ${lines.join('\n')}\n${this.errors}`)
    child.stdout?.resume()
  }

  /** Reads the address lines; their number. */
  #take(lines: readonly string[]): number {
    this.#addresses = lines.flatMap((line) => {
      const found = /^sip (udp|tcp|tls|ws|wss):(\[[^\]]+\]|[^:]+):(\d+)/.exec(line.trim())
      if (found === null) return []
      const [, transport, address = '', port] = found
      return [{ transport: transport as WireTransport, address: address.replace(/[[\]]/g, ''), port: Number(port) }]
    })
    this.#msrpPort = Number(lines.flatMap((line) => /^msrp tcp:\S*:(\d+)/.exec(line.trim())?.[1] ?? []).at(-1) ?? 0)
    this.#http = lines.flatMap((line) => /^http (\S+)/.exec(line.trim())?.[1] ?? []).at(-1) ?? ''
    return this.#addresses.length + (this.#http === '' ? 0 : 1)
  }
}

/** Makes the data directory; the caller starts the server, after what it wants to do before. */
export async function prepareServer(options: SpawnOptions = {}): Promise<SpawnedServer> {
  const settings = {
    domain: 'parley.test',
    'sip.listen': 'udp:127.0.0.1:0,tcp:127.0.0.1:0',
    'msrp.listen': 'tcp:127.0.0.1:0',
    'http.listen': '127.0.0.1:0',
    'log.level': 'warn',
    ...options.settings,
  }
  return new SpawnedServer({ ...options, settings }, await mkdtemp(join(tmpdir(), 'parley-')))
}

/** The real process, started and serving. */
export async function spawnServer(options: SpawnOptions = {}): Promise<SpawnedServer> {
  const server = await prepareServer(options)
  await server.start()
  return server
}

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address)

/** What the surroundings set must not decide a test. */
const withoutParley = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PARLEY_')))
