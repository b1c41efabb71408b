import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { round } from '../bench-results.ts'
import { HttpConnection } from '../http-connection.ts'
import { startParley } from '../parley-server.ts'
import { Child } from '../rtp/load.ts'
import { type Measured, measureClients } from './clients.ts'
import { HttpUser } from './http-user.ts'
import { portOf } from './nms-list.ts'
import type { StoreBench } from './store-bench.ts'

/** Somebody who puts files up, each in one request, and has them again. */
interface Files {
  readonly server: string
  readonly pids: readonly number[]
  /** Resolves with where it is. */
  upload(client: number): Promise<string>
  download(client: number, path: string): Promise<number>
  close(): Promise<void>
}

interface Both {
  readonly up: number
  readonly down: number
}

const clients = 4
const boundary = 'bench-boundary'
const formType = `multipart/form-data; boundary=${boundary}`
const tidDigits = 12
const leastOfPlain = 0.7
const limits = {
  'content.maxFileSize': '1GiB',
  'content.maxUserBytes': '1024GiB',
}

/** The same multipart bodies to both: the plain server keeps the body as it is, on disk before it answers, as Parley does. */
export async function contentCase(bench: StoreBench): Promise<void> {
  const bytes = bench.options.mebibytes * 1024 * 1024
  const plain = await measureFiles(bench, bytes, await plainFiles(bytes))
  const ours = await measureFiles(bench, bytes, await parleyFiles(bench, bytes))
  bench.atLeast('bytes uploaded, in parts of those to plain node:http', round(ours.up / plain.up), leastOfPlain)
  bench.atLeast('bytes downloaded, in parts of those from plain node:http', round(ours.down / plain.down), leastOfPlain)
}

async function measureFiles(bench: StoreBench, bytes: number, files: Files): Promise<Both> {
  const { postgres, options } = bench
  const around = { clients, seconds: options.seconds, pids: files.pids, postgresPids: postgres.pids }
  try {
    const last: string[] = []
    const up = await measureClients({
      ...around,
      act: async (client) => {
        last[client] = await files.upload(client)
      },
    })
    const down = await measureClients({
      ...around,
      act: async (client) => {
        const came = await files.download(client, last[client] ?? '')
        if (came < bytes) throw new Error(`${came} bytes came`)
      },
    })
    report(bench, files.server, 'upload', bytes, up)
    report(bench, files.server, 'download', bytes, down)
    return { up: up.rate * bytes, down: down.rate * bytes }
  } finally {
    await files.close()
  }
}

function report(bench: StoreBench, server: string, name: string, bytes: number, measured: Measured): void {
  const megabytesPerSecond = Math.round((measured.rate * bytes) / 1e6)
  bench.report({ case: name, server, clients, mebibytes: bench.options.mebibytes, megabytesPerSecond, ...measured })
}

async function plainFiles(bytes: number): Promise<Files> {
  const child = new Child('../store/plain-file-child.ts')
  const port = await child.ask<number>({ do: 'port' })
  const connections = await Promise.all(Array.from({ length: clients }, () => HttpConnection.open(port)))
  const bodies = connections.map((_, client) => formOf(client, bytes))
  const connectionOf = (client: number) => connections[client] as HttpConnection
  return {
    server: 'node:http',
    pids: [child.pid],
    upload: async (client) => {
      const head = `POST / HTTP/1.1\r\nHost: bench\r\nContent-Type: ${formType}\r\n`
      return (await connectionOf(client).exchange(head, nextForm(bodies[client] as Buffer))).body.toString()
    },
    download: async (client, path) =>
      (await connectionOf(client).exchange(`GET /${path} HTTP/1.1\r\nHost: bench\r\n`, Buffer.alloc(0))).bodyLength,
    close: async () => {
      for (const connection of connections) connection.close()
      await child.ask({ do: 'close' })
      await child[Symbol.asyncDispose]()
    },
  }
}

async function parleyFiles({ postgres, options: { profile } }: StoreBench, bytes: number): Promise<Files> {
  const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  const folder = await mkdtemp(join(tmpdir(), 'bench-content-'))
  const server = await startParley(postgres, 'relay', clients, { ...limits, 'content.dir': folder }, profiling)
  const port = portOf(server.process.http)
  const users = await Promise.all(Array.from({ length: clients }, (_, at) => HttpUser.open(port, `bob${at + 1}`)))
  const bodies = users.map((_, client) => formOf(client, bytes))
  const userOf = (client: number) => users[client] as HttpUser
  return {
    server: 'parley',
    pids: server.pids,
    upload: async (client) => {
      const { status, body } = await userOf(client).post('/content', formType, nextForm(bodies[client] as Buffer))
      const path = /<data url="[^"]*?(\/content\/[^"]*)"/.exec(body.toString())?.[1]
      if (path === undefined) throw new Error(`upload: ${status} ${body.toString()}`)
      return path
    },
    download: async (client, path) => {
      const { status, bodyLength } = await userOf(client).get(path)
      if (status !== 200) throw new Error(`download: ${status}`)
      return bodyLength
    },
    close: async () => {
      for (const user of users) user.close()
      await server.close()
      await rm(folder, { recursive: true })
    },
  }
}

/** GSMA RCC.07 §3.2.5.3.1.1; bytes that nothing compresses. */
function formOf(client: number, bytes: number): Buffer {
  const part = (fields: string) => `--${boundary}\r\nContent-Disposition: form-data; ${fields}\r\n`
  const tid = `${part('name="tid"')}\r\nclient${client}-${'0'.repeat(tidDigits)}\r\n`
  const file = `${part('name="File"; filename="photo.jpg"')}Content-Type: image/jpeg\r\n\r\n`
  return Buffer.concat([Buffer.from(tid + file), randomBytes(bytes), Buffer.from(`\r\n--${boundary}--\r\n`)])
}

let uploads = 0

/** Each upload is a transaction of its own. */
function nextForm(form: Buffer): Buffer {
  const at = form.indexOf('-', form.indexOf('client')) + 1
  form.write(String(++uploads).padStart(tidDigits, '0'), at, 'latin1')
  return form
}
