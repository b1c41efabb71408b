import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { hostPort, type Place } from './wire.ts'

export interface LinphoneOptions {
  readonly user: string
  readonly password: string
  readonly domain: string
  readonly place: Place
  /** Whose presence it watches, in one list; it then publishes its own. */
  readonly friends?: readonly string[]
}

const patience = 30_000

/** A linphonec with a home of its own, which takes commands on its standard input. */
export class Linphone implements AsyncDisposable {
  readonly aor: string
  readonly #child: ChildProcess
  readonly #home: string
  readonly #waiting = new Set<() => void>()
  /** What it printed so far, log lines included. */
  output = ''

  static async start(options: LinphoneOptions): Promise<Linphone> {
    const home = await mkdtemp(join(tmpdir(), 'linphone-'))
    // without its data folder it crashes when it stores the first chat message
    await mkdir(join(home, '.local/share/linphone'), { recursive: true })
    await mkdir(join(home, '.config/linphone'), { recursive: true })
    await writeFile(join(home, 'rc'), await configuration(options))
    return new Linphone(options, home)
  }

  private constructor(options: LinphoneOptions, home: string) {
    this.aor = `sip:${options.user}@${options.domain}`
    this.#home = home
    this.#child = spawn('linphonec', ['-c', join(home, 'rc'), '-d', '6'], {
      env: { PATH: process.env.PATH, HOME: home },
      cwd: home,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    // It outlives nobody: left alone it would go round without end.
    process.once('exit', () => this.#child.kill('SIGKILL'))
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString()
        for (const look of this.#waiting) look()
      })
    }
  }

  command(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  chat(to: string, text: string): void {
    this.command(`chat ${to} ${text}`)
  }

  /** Waits until it has printed what the pattern tells, `times` times in all. */
  async prints(pattern: RegExp, times = 1): Promise<void> {
    const enough = () => this.count(pattern) >= times
    if (enough()) return
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => {
        this.#waiting.delete(look)
        reject(new Error(`${this.aor} did not print ${pattern} in ${patience} ms:\n${this.output.slice(-4_000)}`))
      }, patience)
      const look = () => {
        if (!enough()) return
        clearTimeout(late)
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
    })
  }

  /** How often it has printed what the pattern tells. */
  count(pattern: RegExp): number {
    return this.output.match(new RegExp(pattern.source, 'g'))?.length ?? 0
  }

  /** Ends it as a user would; it takes its registration away. */
  async quit(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.command('quit')
    const hard = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    await ended
    clearTimeout(hard)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.quit()
    await rm(this.#home, { recursive: true, force: true })
  }
}

/** A friend list that is watched through the resource list server. */
const friendList = ({ friends = [] }: LinphoneOptions): string =>
  friends.map((uri, index) => `[friend_${index}]\nurl=<${uri}>\npol=accept\nsubscribe=1\n`).join('')

async function configuration(options: LinphoneOptions): Promise<string> {
  const { user, password, domain, place, friends = [] } = options
  const port = await freePort()
  const server = `<sip:${hostPort(place.address, place.port)};transport=${place.transport}`
  return `[sip]
sip_port=${port}
sip_tcp_port=${port}
sip_tls_port=${place.transport === 'tls' ? port : -1}
default_proxy=0
media_encryption=none
guess_hostname=0
use_ipv6=0
contact="${user}" <sip:${user}@127.0.0.1:${port}>
${friends.length > 0 ? `rls_uri=sip:rls@${domain}` : ''}
verify_server_certs=0
verify_server_cn=0
[rtp]
audio_rtp_port=-1
[net]
mtu=1300
[proxy_0]
reg_proxy=${server}>
reg_route=${server};lr>
reg_identity="${user}" <sip:${user}@${domain}>
reg_expires=600
reg_sendregister=1
publish=${friends.length > 0 ? 1 : 0}
[auth_info_0]
username=${user}
domain=${domain}
passwd=${password}
realm=${domain}
[misc]
config_version_number=1
${friendList(options)}`
}
