import { Worker } from 'node:worker_threads'
import type { XcapError } from '../../../protocols/xcap/xcap-error.ts'
import { XcapConflict } from './xcap-conflict.ts'

export interface Question {
  readonly id: number
  readonly schema: string | undefined
  readonly content: Uint8Array
}

export interface Verdict {
  readonly id: number
  readonly conflict?: XcapError
  readonly bug?: string
}

interface Waiting {
  readonly resolve: () => void
  readonly reject: (err: Error) => void
}

const script = new URL('./begin-validator.mjs', import.meta.url)

/** Parses and validates documents in a thread of its own, which begins with the first: a large one stops nobody else. */
export class Validator {
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #next = 0

  /** Rejects with XcapConflict: 'not-well-formed', or 'schema-validation-error' where there is a schema. */
  check(schema: string | undefined, content: Buffer): Promise<void> {
    const worker = this.#worker ?? this.#begin()
    const copy = new Uint8Array(content)
    const id = this.#next++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      worker.postMessage({ id, schema, content: copy } satisfies Question, [copy.buffer])
    })
  }

  async close(): Promise<void> {
    await this.#worker?.terminate()
  }

  #begin(): Worker {
    const worker = new Worker(script, { execArgv: [] })
    worker.unref()
    worker.on('message', (verdict: Verdict) => this.#take(verdict))
    worker.on('error', (err) => this.#fail(err))
    worker.on('exit', () => this.#fail(new Error('the validator has ended')))
    this.#worker = worker
    return worker
  }

  #take({ id, conflict, bug }: Verdict): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (conflict !== undefined) waiting?.reject(new XcapConflict(conflict))
    else if (bug !== undefined) waiting?.reject(new Error(bug))
    else waiting?.resolve()
  }

  /** The next document begins another thread. */
  #fail(err: Error): void {
    this.#worker = undefined
    for (const { reject } of this.#waiting.values()) reject(err)
    this.#waiting.clear()
  }
}
