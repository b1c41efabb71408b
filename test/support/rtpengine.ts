import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { endsWithUs } from './ends-with-us.ts'
import { freePort } from './free-port.ts'

/** An rtpengine of the test's own, in user space, on the loopback. */
export class RtpengineProcess implements AsyncDisposable {
  readonly port: number
  readonly #mediaPorts: readonly [number, number]
  #child: ChildProcess | undefined

  /** `pairs`: how many pairs of ports it has for media. */
  static async start({ pairs = 100 } = {}): Promise<RtpengineProcess> {
    const first = Math.min(await freePort(), 65_000 - 2 * pairs) & ~1
    const rtpengine = new RtpengineProcess(await freePort(), [first, first + 2 * pairs - 1])
    await rtpengine.start()
    return rtpengine
  }

  constructor(port: number, mediaPorts: readonly [number, number]) {
    this.port = port
    this.#mediaPorts = mediaPorts
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Starts it, or starts it again on the same ports; resolves when it listens. */
  async start(): Promise<void> {
    const [first, last] = this.#mediaPorts
    const child = spawn(
      'rtpengine',
      [
        ...['--config-file=none', '--foreground', '--log-stderr', '--log-level=6', '--table=-1', '--num-threads=2'],
        ...['--interface=127.0.0.1', `--listen-ng=127.0.0.1:${this.port}`],
        ...[`--port-min=${first}`, `--port-max=${last}`],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: `${process.env.PATH}:/usr/sbin` } },
    )
    endsWithUs(child, { signal: 'SIGKILL' })
    this.#child = child
    for await (const line of createInterface({ input: child.stderr })) if (/Startup complete/.test(line)) break
    child.stderr.resume()
    if (child.exitCode !== null) throw new Error(`rtpengine ended with ${child.exitCode}`)
  }

  /** Ends it at once; what it held is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}
