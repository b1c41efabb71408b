import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'

interface Ending {
  /** SIGTERM for a program that has something of its own to end. */
  readonly signal: 'SIGKILL' | 'SIGTERM'
  /** Goes with it. */
  readonly folder?: string
}

/** A program that must not outlive this process, however that ends. */
export function endsWithUs(child: ChildProcess, { signal, folder }: Ending): void {
  const end = () => {
    child.kill(signal)
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', end)
  child.once('exit', () => process.removeListener('exit', end))
}
