import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endsWithUs } from './ends-with-us.ts'
import { eventually } from './eventually.ts'
import { readWav, type Sound, tone, writeWav } from './tone.ts'
import { hostPort, type Place } from './wire.ts'

export interface BaresipOptions {
  readonly user: string
  readonly password: string
  readonly domain: string
  readonly place: Place
  /** What it says all the time, in Hz. */
  readonly tone: number
}

/** A baresip with a folder of its own, which says a tone, writes down what it hears and answers every call. */
export class Baresip implements AsyncDisposable {
  readonly aor: string
  readonly #child: ChildProcess
  readonly #folder: string
  output = ''

  /** Resolves when it is registered. */
  static async start(options: BaresipOptions): Promise<Baresip> {
    const folder = await mkdtemp(join(tmpdir(), 'baresip-'))
    await writeFile(join(folder, 'said.wav'), writeWav(tone(options.tone, 60)))
    await writeFile(join(folder, 'config'), configuration(folder))
    await writeFile(join(folder, 'accounts'), account(options))
    await writeFile(join(folder, 'contacts'), '')
    const baresip = new Baresip(`sip:${options.user}@${options.domain}`, folder)
    try {
      await baresip.prints(/200 OK/)
      return baresip
    } catch (error) {
      await baresip[Symbol.asyncDispose]()
      throw error
    }
  }

  private constructor(aor: string, folder: string) {
    this.aor = aor
    this.#folder = folder
    this.#child = spawn('baresip', ['-f', folder], { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] })
    endsWithUs(this.#child, { signal: 'SIGKILL', folder })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output = (this.output + chunk.toString()).slice(-20_000)
      })
    }
  }

  call(uri: string): void {
    this.#command(`/dial ${uri}`)
  }

  hangUp(): void {
    this.#command('/hangup')
  }

  async prints(pattern: RegExp): Promise<void> {
    await eventually(() => {
      if (!pattern.test(this.output)) throw new Error(`${this.aor} did not print ${pattern}:\n${this.output}`)
    })
  }

  /** What it has heard in its calls so far. */
  async heard(): Promise<Sound> {
    const names = (await readdir(this.#folder)).filter((name) => name.endsWith('-dec.wav')).sort()
    const last = names.at(-1)
    return readWav(last === undefined ? Buffer.alloc(0) : await readFile(join(this.#folder, last)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit')
      this.#command('/quit')
      const hard = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(hard)
    }
    await rm(this.#folder, { recursive: true, force: true })
  }

  #command(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }
}

/** Any port for SIP; no sound device: the source is a file, and the filter `sndfile` writes down what is decoded. */
const configuration = (folder: string): string => `sip_listen 127.0.0.1:0
net_interface 127.0.0.1
module_path /usr/lib/baresip/modules
module stdio.so
module g711.so
module aufile.so
module sndfile.so
module_tmp account.so
module_app menu.so
audio_source aufile,${join(folder, 'said.wav')}
audio_srate 8000
audio_channels 1
snd_path ${folder}
`

function account({ user, password, domain, place }: BaresipOptions): string {
  const server = `sip:${hostPort(place.address, place.port)};transport=${place.transport}`
  const more = `auth_user=${user};auth_pass=${password};outbound="${server}";regint=600;answermode=auto`
  return `<sip:${user}@${domain}>;${more}\n`
}
