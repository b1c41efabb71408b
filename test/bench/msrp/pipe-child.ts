/** Raw piping: the next connection to one port is joined with the next one to the other, byte for byte. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { tellLongestTurn } from './longest-turn.ts'

const waiting: [Socket[], Socket[]] = [[], []]

function join(): void {
  const [a, b] = [waiting[0].shift(), waiting[1].shift()]
  if (a === undefined || b === undefined) return
  a.setNoDelay(true).pipe(b.setNoDelay(true)).pipe(a)
  for (const socket of [a, b]) socket.on('error', () => socket.destroy())
}

const ports = await Promise.all(
  waiting.map(async (sockets) => {
    const server = createServer((socket) => {
      sockets.push(socket)
      if (waiting[0].length > 0 && waiting[1].length > 0) join()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as { port: number }).port
  }),
)
const pairs = Array.from({ length: Number(process.argv[2]) }, (_, at) => ({
  a: { port: ports[0], toPath: `msrp://127.0.0.1:9/a${at};tcp` },
  b: { port: ports[1], toPath: `msrp://127.0.0.1:9/b${at};tcp` },
}))
process.stdout.write(`${JSON.stringify(pairs)}\n`)
tellLongestTurn()
