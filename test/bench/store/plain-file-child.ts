/** A plain file server: what is posted goes to a file as it comes, and comes from there again. Its port goes to the parent. */
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

const folder = await mkdtemp(join(tmpdir(), 'bench-files-'))
let files = 0

async function upload(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const name = String(++files)
  await pipeline(request, createWriteStream(join(folder, name), { flush: true })) // on disk before it is answered
  response.writeHead(200, { 'content-length': name.length }).end(name)
}

async function download(path: string, response: ServerResponse): Promise<void> {
  const { size } = await stat(path)
  response.writeHead(200, { 'content-length': size, 'content-type': 'application/octet-stream' })
  await pipeline(createReadStream(path), response)
}

const server = createServer((request, response) => {
  const done =
    request.method === 'POST' ? upload(request, response) : download(join(folder, request.url ?? ''), response)
  done.catch((err: Error) => {
    response.destroy(err)
  })
})
server.listen(0, '127.0.0.1')
process.on('message', async ({ do: what }: { do: 'port' | 'close' }) => {
  if (what === 'close') await rm(folder, { recursive: true, force: true })
  process.send?.(what === 'port' ? (server.address() as AddressInfo).port : 0)
})
process.on('disconnect', () => process.exit(0))
