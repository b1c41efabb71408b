import { FileThrough } from '../../support/file-through.ts'
import { forgetPeak, peakMemory } from '../../support/peak-memory.ts'
import { startWholeServer } from './whole-server.ts'

const mebibyte = 1024 * 1024

/** A file through the whole server; by how much the server's memory grows on the way, at its peak. */
export async function measureLargeFile(mebibytes: number): Promise<object> {
  const server = await startWholeServer(['alice', 'bob'])
  try {
    const file = await FileThrough.open(await server.phone('alice'), await server.phone('bob'), mebibytes)
    await server.memory()
    const resident = forgetPeak(server.pid)
    const begun = performance.now()
    const status = await file.send()
    const seconds = (performance.now() - begun) / 1000
    const peak = peakMemory(server.pid)
    const intact = file.receiver.digest() === file.digest()
    await file.close()
    return {
      ...{ mebibytes, status, intact, megabytesPerSecond: Math.round((mebibytes * mebibyte) / 1e6 / seconds) },
      ...{ residentBefore: inMebibytes(resident), grownByAtPeak: inMebibytes(peak - resident) },
    }
  } finally {
    await server.close()
  }
}

const inMebibytes = (bytes: number) => Math.round((bytes / mebibyte) * 10) / 10
