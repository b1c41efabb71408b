import { once } from 'node:events'
import { WebSocket } from 'ws'

/** Bytes that a process holds once all garbage is gone. `errors`: what it wrote; it was started with `--inspect`. */
export async function collectedMemory(errors: string): Promise<number> {
  const [address = ''] = /ws:\/\/\S+/.exec(errors) ?? []
  const inspector = new WebSocket(address)
  await once(inspector, 'open')
  let id = 0
  const ask = async (method: string, params: object = {}) => {
    inspector.send(JSON.stringify({ id: ++id, method, params }))
    const [answer] = (await once(inspector, 'message')) as [Buffer]
    return JSON.parse(answer.toString()).result
  }
  for (let round = 0; round < 3; round++) await ask('HeapProfiler.collectGarbage')
  const expression = 'process.memoryUsage().heapUsed + process.memoryUsage().external'
  const { result } = await ask('Runtime.evaluate', { expression })
  inspector.close()
  return result.value
}
