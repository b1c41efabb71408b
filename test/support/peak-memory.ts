import { readFileSync, writeFileSync } from 'node:fs'

/** The most memory that a process has had resident since `forgetPeak`, in bytes (Linux). */
export function peakMemory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}

/** From now on the peak counts from what is resident now, which is returned. */
export function forgetPeak(pid: number): number {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
  return peakMemory(pid)
}
