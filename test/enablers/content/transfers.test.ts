import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Transfers } from '../../../src/enablers/content/index.ts'
import { pacedBody } from '../../../src/enablers/content/paced-body.ts'

test('nobody takes all the places there are for transfers, and each that ends frees one', () => {
  const transfers = new Transfers({ most: 6, ofUser: 2 })
  const first = transfers.upload(1)
  transfers.upload(1)
  expect(() => transfers.upload(1)).toThrow(expect.objectContaining({ status: 503 }))
  for (let count = 0; count < 3; count++) transfers.download('192.0.2.1')
  expect(() => transfers.download('192.0.2.1')).toThrow(expect.objectContaining({ status: 503 }))
  transfers.download('192.0.2.2')
  expect(() => transfers.download('192.0.2.3')).toThrow(expect.objectContaining({ status: 503 }))
  first()
  first()
  expect(transfers).toMatchObject({ inUse: 5, peak: 6, limit: 6 })
  transfers.upload(1)
})

test('a body that comes drop by drop is given up, and one that comes well is not', async () => {
  const server = createServer()
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  )
  onTestFinished(() => void server.close())
  const begin = async () => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    onTestFinished(() => void socket.destroy())
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n')
    const [request] = await once(server, 'request')
    return { socket, body: pacedBody(request, { every: 100, least: 1_000 }) }
  }
  const slow = await begin()
  slow.socket.write('drop')
  await expect(bytesIn(slow.body)).rejects.toThrow()
  const quick = await begin()
  quick.socket.write(Buffer.alloc(1_000_000))
  expect(await bytesIn(quick.body)).toBe(1_000_000)
})

async function bytesIn(body: AsyncIterable<Buffer>): Promise<number> {
  let came = 0
  for await (const bytes of body) came += bytes.length
  return came
}
