import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** A UDP port that nobody has at the moment, for programs that cannot be told to take any. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0, address)
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return port
}
