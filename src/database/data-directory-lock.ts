import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { ConfigurationFault } from '../failure.ts'

/** What holds a data directory: a server for as long as it runs, a command for a moment. */
export type Role = 'server' | 'command'

export interface Holder {
  readonly pid: number
  readonly role: Role
}

/**
 * One process to a data directory. The lock is a socket that its holder listens on: it goes with the holder, however that
 * ends, it tells who holds it, and it works between containers that share the directory and not their process ids.
 */
export class DataDirectoryLock {
  readonly #directory: FileHandle
  readonly #server: Server
  constructor(directory: FileHandle, server: Server) {
    this.#directory = directory
    this.#server = server
  }

  /** The lock, or who has it. */
  static async take(dataDir: string, role: Role): Promise<DataDirectoryLock | Holder> {
    const directory = await open(dataDir)
    try {
      return await take(directory, lockPath(dataDir, directory), role)
    } catch (error) {
      await directory.close()
      throw error
    }
  }

  async release(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve)) // removes the socket
    await this.#directory.close()
  }
}

/** A path to a socket holds 107 bytes: the open directory gives a short one. */
function lockPath(dataDir: string, directory: FileHandle): string {
  return join(process.platform === 'linux' ? `/proc/self/fd/${directory.fd}` : dataDir, 'parley.lock')
}

async function take(directory: FileHandle, path: string, role: Role): Promise<DataDirectoryLock | Holder> {
  for (;;) {
    const server = await listen(path, role)
    if (server !== undefined) return new DataDirectoryLock(directory, server)
    const holder = await holderOf(path)
    if (holder !== undefined) {
      await directory.close()
      return holder
    }
    await removeStale(path)
  }
}

async function listen(path: string, role: Role): Promise<Server | undefined> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end(`${process.pid} ${role}\n`)
  })
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(unlockable(error))
    })
    server.listen(path, () => resolve(server.unref()))
  })
}

const unlockable = (error: Error) =>
  new ConfigurationFault(
    'data.dir',
    `cannot be locked (${error.message})`,
    'use a directory you may write, on a local disk',
    error,
  )

const answerMs = 1000

/** Nobody (undefined) when nobody listens. A holder that does not say who it is holds all the same. */
function holderOf(path: string): Promise<Holder | undefined> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(path)
    const settle = () => {
      const [pid, role] = answer.trim().split(' ')
      resolve({ pid: Number(pid ?? 0), role: role === 'command' ? 'command' : 'server' })
      socket.destroy()
    }
    socket.on('data', (data) => {
      answer += data.toString('latin1')
    })
    socket.on('end', settle)
    socket.setTimeout(answerMs, settle)
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(undefined)
      else reject(unlockable(error))
    })
  })
}

/** Taken aside first, so that a lock which somebody else has made in the meantime is seen, and put back. */
async function removeStale(path: string): Promise<void> {
  const aside = `${path}.${process.pid}`
  await rename(path, aside).catch(() => {})
  if ((await holderOf(aside)) !== undefined) await rename(aside, path)
  else await unlink(aside).catch(() => {})
}
