import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RelayServer } from './relay-server.ts'

const config = join(import.meta.dirname, '..', 'kamailio', 'msrp.cfg')

/** Kamailio's msrp module. A sends through it; it opens a connection to where each B listens. */
export async function startKamailioRelay(count: number): Promise<RelayServer> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-kamailio-'))
  const [port = 0, ...listens] = await freeTcpPorts(count + 1)
  const place = [
    '-f',
    config,
    '-DD',
    '-E',
    '-m',
    '1024',
    '-M',
    '64',
    '-Y',
    folder,
    '-A',
    `LISTEN_TCP=tcp:127.0.0.1:${port}`,
  ]
  const child = spawn('kamailio', place, { cwd: folder, stdio: 'ignore' })
  const ended = once(child, 'exit')
  await answering(port)
  const relay = `msrp://127.0.0.1:${port}/relay;tcp`
  return {
    name: 'kamailio',
    pids: [child.pid ?? 0],
    pairs: listens.map((listen, at) => ({
      a: { port, toPath: `${relay} msrp://127.0.0.1:${listen}/b${at};tcp` },
      b: { listen, toPath: relay },
    })),
    close: async () => {
      child.kill('SIGTERM')
      const hard = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(hard)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function freeTcpPorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) server.close()
  return ports
}

async function answering(port: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      socket.destroy()
      return
    } catch (error) {
      if (tries === 100) throw error
      await sleep(100)
    }
  }
}
