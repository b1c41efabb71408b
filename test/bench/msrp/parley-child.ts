/** The media plane alone, with this many pairs of joined sessions; their paths go to standard output. */
import { MsrpPlane, relay } from '../../../src/media/msrp/index.ts'
import { tellLongestTurn } from './longest-turn.ts'

const plane = new MsrpPlane({
  listen: [{ transport: 'tcp', address: '127.0.0.1', port: 0 }],
  limits: { connectionsPerSource: 20_000 },
  log: console,
})
const [address] = await plane.start()
const pairs = await Promise.all(
  Array.from({ length: Number(process.argv[2]) }, async (_, at) => {
    const [a, b] = [plane.open({ secure: false, transport: 'tcp' }), plane.open({ secure: false, transport: 'tcp' })]
    await a.connect({ path: [`msrp://127.0.0.1:9/a${at};tcp`], setup: 'passive' })
    await b.connect({ path: [`msrp://127.0.0.1:9/b${at};tcp`], setup: 'passive' })
    relay(a, b)
    return { a: { port: address?.port, toPath: a.path }, b: { port: address?.port, toPath: b.path } }
  }),
)
process.stdout.write(`${JSON.stringify(pairs)}\n`)
tellLongestTurn()
