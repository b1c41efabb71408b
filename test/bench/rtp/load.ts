import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { endsWithUs } from '../../support/ends-with-us.ts'

/** A port for each party of a call. */
export interface CallPorts {
  readonly caller: number
  readonly callee: number
}

export type ToLoad =
  | { readonly do: 'open'; readonly calls: number }
  | { readonly do: 'run'; readonly ports: readonly CallPorts[]; readonly seconds: number }

export interface LoadResult {
  readonly sent: number
  readonly arrived: number
  /** The share of packets that the load itself sent more than 5 ms late. */
  readonly late: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** A process of the benchmark that answers each message with one. */
export class Child implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #ended: Promise<never>

  constructor(script: string) {
    this.#child = fork(join(import.meta.dirname, script), [], { execArgv: ['--import', 'tsx'] })
    endsWithUs(this.#child, { signal: 'SIGKILL' })
    this.#ended = once(this.#child, 'exit').then(([code]) => Promise.reject(new Error(`a child ended with ${code}`)))
    this.#ended.catch(() => {})
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  async ask<Answer>(message: object): Promise<Answer> {
    this.#child.send(message)
    const [answer] = (await Promise.race([once(this.#child, 'message'), this.#ended])) as [Answer]
    return answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}
