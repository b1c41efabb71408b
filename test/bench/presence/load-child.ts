/** Watchers and those whom they watch. Speaks with its parent over IPC. */
import type { ToLoad } from './load.ts'
import { PresenceLoad } from './presence-load.ts'

let load: PresenceLoad | undefined

process.on('message', async (message: ToLoad) => {
  process.send?.(await act(message))
})
process.on('disconnect', () => process.exit(0))

async function act(message: ToLoad): Promise<object | undefined> {
  switch (message.do) {
    case 'open':
      load = await PresenceLoad.open(message.port, message.watchers)
      return {}
    case 'subscribe':
      return await load?.subscribe(message.from, message.to)
    case 'publish':
      return await load?.publish(message.seconds, message.window)
  }
}
