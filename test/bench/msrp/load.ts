import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuMicroseconds } from '../process-cpu.ts'
import type { End, Pair, RelayServer } from './relay-server.ts'

export interface Shape {
  /** Bytes of a message's body; it goes in one chunk. */
  readonly bytes: number
  /** Of the body, where it is no plain text. */
  readonly contentType?: string
  /** What a body of several kinds begins with; `id` is another one each time and of one length. */
  readonly beginning?: (id: string) => string
  /** What the rest of a body is made of, again and again. */
  readonly filling?: string
  /** Messages of one session on their way at the same time. */
  readonly window: number
  /** Messages a second of all sessions together, in turn, whatever is on its way; else as many as are answered. */
  readonly rate?: number
  readonly seconds: number
}

export interface Measured {
  readonly messagesPerSecond: number
  readonly megabytesPerSecond: number
  readonly serverMicrosecondsEach: number
  readonly longestTurn?: number | undefined
}

/** Keeps every pair busy in one direction, each message answered by the far end, and measures after a warm-up. */
export async function measure(server: RelayServer, shape: Shape): Promise<Measured> {
  const count = { answered: 0, stopped: false }
  const sessions = []
  for (const [at, pair] of server.pairs.entries()) sessions.push(await join(pair, at, shape, count))
  if (shape.rate === undefined) for (const send of sessions) send(shape.window)
  else pace(sessions, shape.rate, count)
  await sleep(Math.min(3, shape.seconds) * 1000)
  await server.longestTurn?.()
  const before = { answered: count.answered, cpu: cpuMicroseconds(server.pids), time: performance.now() }
  await sleep(shape.seconds * 1000)
  const messages = count.answered - before.answered
  const seconds = (performance.now() - before.time) / 1000
  const cpu = cpuMicroseconds(server.pids) - before.cpu
  const longestTurn = await server.longestTurn?.()
  count.stopped = true
  return {
    messagesPerSecond: Math.round(messages / seconds),
    megabytesPerSecond: Math.round((messages * shape.bytes) / seconds / 1e6),
    serverMicrosecondsEach: Math.round((cpu / messages) * 10) / 10,
    ...(longestTurn !== undefined && { longestTurn }),
  }
}

interface Count {
  answered: number
  stopped: boolean
}

type Send = (messages: number) => void

const paceMs = 5

function pace(sessions: readonly Send[], rate: number, count: Count): void {
  const began = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    if (count.stopped) clearInterval(timer)
    else
      for (const due = (rate * (performance.now() - began)) / 1000; sent < due; sent++)
        sessions[sent % sessions.length]?.(1)
  }, paceMs)
}

/** Returns what sends so many more messages in the session. */
async function join(pair: Pair, at: number, shape: Shape, count: Count): Promise<Send> {
  const fromA = `msrp://127.0.0.1:9/a${at};tcp`
  const fromB = `msrp://127.0.0.1:${pair.b.listen ?? 9}/b${at};tcp`
  const waitForB =
    pair.b.listen === undefined ? undefined : accept(pair.b.listen, (socket) => answerAll(socket, pair.b, fromB))
  const a = await open(pair.a, fromA)
  await waitForB
  if (pair.b.listen === undefined) answerAll(await open(pair.b, fromB), pair.b, fromB)
  const next = sender(a, pair.a, fromA, shape, at)
  onEnds(a, (ends) => {
    count.answered += ends.length
    if (!count.stopped && shape.rate === undefined) next(ends.length)
  })
  return next
}

async function open(end: End, fromPath: string): Promise<Socket> {
  const socket = connect(end.port as number, '127.0.0.1').setNoDelay(true)
  await once(socket, 'connect')
  socket.on('error', () => socket.destroy())
  if (end.toPath.startsWith('msrp://127.0.0.1:9/')) return socket // a pipe answers nothing
  if (end.toPath.includes(' ')) return socket // nor does a relay without sessions need to know
  socket.write(
    `MSRP bind1 SEND\r\nTo-Path: ${end.toPath}\r\nFrom-Path: ${fromPath}\r\nMessage-ID: bind1\r\n-------bind1$\r\n`,
  )
  await once(socket, 'data')
  return socket
}

async function accept(port: number, onSocket: (socket: Socket) => void): Promise<void> {
  const server = createServer((socket) => {
    server.close()
    onSocket(socket.setNoDelay(true))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}

/** B: each SEND is answered. */
function answerAll(socket: Socket, end: End, fromPath: string): void {
  const paths = `To-Path: ${end.toPath}\r\nFrom-Path: ${fromPath}\r\n`
  socket.on('error', () => socket.destroy())
  onEnds(socket, (ids) => {
    let text = ''
    for (const id of ids) text += `MSRP ${id} 200 OK\r\n${paths}-------${id}$\r\n`
    socket.write(text, 'latin1')
  })
}

/** A: writes so many more messages at once. */
function sender(socket: Socket, end: End, fromPath: string, shape: Shape, at: number): Send {
  let count = 0
  const body = Buffer.alloc(shape.bytes, shape.filling ?? 'x')
  const type = shape.contentType ?? 'text/plain'
  const fields = `Byte-Range: 1-${shape.bytes}/${shape.bytes}\r\nContent-Type: ${type}\r\n\r\n`
  const headOf = (id: string) =>
    `MSRP ${id} SEND\r\nTo-Path: ${end.toPath}\r\nFrom-Path: ${fromPath}\r\nMessage-ID: m${id}\r\n${fields}`
  return (messages) => {
    if (shape.bytes > 4096) socket.cork()
    let text = ''
    for (let left = messages; left > 0; left--) {
      const id = `t${(++count).toString(36)}abcdef`
      text += headOf(id)
      if (shape.beginning !== undefined)
        body.write(shape.beginning(`${at}-${count.toString(36).padStart(8, '0')}`), 'latin1')
      if (shape.bytes <= 4096) text += body.toString('latin1')
      else {
        socket.write(text, 'latin1')
        socket.write(body)
        text = ''
      }
      text += `\r\n-------${id}$\r\n`
    }
    socket.write(text, 'latin1')
    if (shape.bytes > 4096) socket.uncork()
  }
}

const mark = '\r\n-------'
/** No end-line is longer. */
const longest = 64

/** Calls back with the transaction ids of the end-lines in each piece that comes; bodies have no dashes here. */
function onEnds(socket: Socket, onIds: (ids: string[]) => void): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (piece: Buffer) => {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    const ids: string[] = []
    let from = 0
    for (;;) {
      const at = bytes.indexOf(mark, from, 'latin1')
      const end = at === -1 ? -1 : bytes.indexOf('$\r\n', at, 'latin1')
      if (end === -1) break
      ids.push(bytes.toString('latin1', at + mark.length, end))
      from = end + 3
    }
    rest = bytes.subarray(Math.max(from, bytes.length - longest))
    if (ids.length > 0) onIds(ids)
  })
}
