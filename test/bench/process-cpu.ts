import { readdirSync, readFileSync } from 'node:fs'

const tickMicroseconds = 10_000 // USER_HZ is 100 on Linux, whatever the kernel's own rate

interface ProcessStat {
  readonly pid: number
  readonly parent: number
  /** utime and stime, with those of children that ended and were waited for. */
  readonly ticks: number
  readonly residentPages: number
}

/** CPU microseconds spent so far by these processes and everything below them, from /proc/PID/stat. */
export function cpuMicroseconds(roots: readonly number[]): number {
  return tree(roots).reduce((sum, stat) => sum + stat.ticks, 0) * tickMicroseconds
}

/** Resident memory of these processes and everything below them; shared pages count once for each process. */
export function residentBytes(roots: readonly number[]): number {
  return tree(roots).reduce((sum, stat) => sum + stat.residentPages, 0) * 4096
}

function tree(roots: readonly number[]): ProcessStat[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(readStat)
  const found = new Map(all.filter((stat) => roots.includes(stat.pid)).map((stat) => [stat.pid, stat]))
  for (let before = -1; before !== found.size; ) {
    before = found.size
    for (const stat of all) if (found.has(stat.parent)) found.set(stat.pid, stat)
  }
  return [...found.values()]
}

function readStat(pid: string): ProcessStat[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const [, parent = 0] = fields
    const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + (fields[at] ?? 0), 0)
    return [{ pid: Number(pid), parent, ticks, residentPages: fields[21] ?? 0 }]
  } catch {
    return [] // gone between the listing and the reading
  }
}
