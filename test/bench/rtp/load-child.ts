/**
 * Both parties of so many calls: each sends 20 ms of G.711 at a time, and notes when what the other has sent arrives.
 * Sockets are opened once and used by one engine after the other. Speaks with its parent over IPC.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { CallPorts, LoadResult, ToLoad } from './load.ts'

const packetBytes = 172 // an RTP head and 160 samples
const intervalMs = 20
/** Sends of each call have a moment of their own within the 20 ms, as those of calls in life do. */
const slots = 20

interface Party {
  readonly socket: Socket
  readonly packet: Buffer
  port: number
  sequence: number
}

const parties: Party[] = []
let delays = new Float64Array(0)
let arrived = 0
let sent = 0
let measuring = false

process.on('message', async (message: ToLoad) => {
  if (message.do === 'open') process.send?.(await open(message.calls))
  else process.send?.(await run(message.ports, message.seconds))
})
process.on('disconnect', () => process.exit(0))

/** The ports of the parties of each call. */
async function open(calls: number): Promise<CallPorts[]> {
  while (parties.length < 2 * calls) {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 }).bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const ssrc = parties.length + 1
    parties.push({ socket, packet: packetOf(ssrc), port: 0, sequence: 0 })
    socket.on('message', take)
  }
  const ports = parties.map(({ socket }) => socket.address().port)
  return Array.from({ length: calls }, (_, at) => ({ caller: ports[2 * at] ?? 0, callee: ports[2 * at + 1] ?? 0 }))
}

function packetOf(ssrc: number): Buffer {
  const packet = Buffer.alloc(packetBytes)
  packet[0] = 0x80
  packet.writeUInt32BE(ssrc, 8)
  return packet
}

/** `ports`: where each party of each call sends to. */
async function run(ports: readonly CallPorts[], seconds: number): Promise<LoadResult> {
  for (const [at, { caller, callee }] of ports.entries()) {
    for (const [of, port] of [caller, callee].entries()) {
      const party = parties[2 * at + of]
      if (party) party.port = port
    }
  }
  const active = parties.slice(0, 2 * ports.length)
  delays = new Float64Array(active.length * (seconds + 1) * 50)
  ;[arrived, sent, measuring] = [0, 0, false]
  await speak(active, 1.5) // both engines learn where the parties are, and the code is compiled
  measuring = true
  const late = await speak(active, seconds)
  measuring = false
  await new Promise((resolve) => setTimeout(resolve, 500))
  return resultOf(late)
}

/** Resolves with the share of the slots that were sent more than 5 ms late: the load is then none. */
function speak(active: readonly Party[], seconds: number): Promise<number> {
  const total = Math.round((seconds * 1_000 * slots) / intervalMs)
  const began = performance.now()
  let [slot, late] = [0, 0]
  return new Promise((resolve) => {
    const tick = () => {
      const due = Math.min(total, Math.floor(((performance.now() - began) * slots) / intervalMs))
      if (due - slot > 5) late += due - slot
      for (; slot < due; slot++) for (let at = slot % slots; at < active.length; at += slots) send(active[at] as Party)
      if (slot < total) setTimeout(tick, 1)
      else resolve(late / total)
    }
    tick()
  })
}

function send(party: Party): void {
  const { socket, packet, port } = party
  packet.writeUInt16BE(party.sequence++ & 0xffff, 2)
  packet.writeUInt32BE((party.sequence * 160) >>> 0, 4)
  packet[12] = measuring ? 1 : 0
  packet.writeDoubleLE(performance.now(), 13)
  socket.send(packet, port, '127.0.0.1')
  if (measuring) sent++
}

function take(packet: Buffer): void {
  if (packet[12] !== 1 || packet.length !== packetBytes) return
  delays[arrived++] = performance.now() - packet.readDoubleLE(13)
}

function resultOf(late: number): LoadResult {
  const sorted = delays.subarray(0, arrived).sort()
  const at = (share: number) => sorted[Math.min(arrived - 1, Math.floor(arrived * share))] ?? Number.NaN
  return { sent, arrived, late, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}
