import { round } from '../bench-results.ts'
import { type Measured, measureClients } from './clients.ts'
import { Dovecot } from './dovecot.ts'
import type { ImapClient } from './imap-client.ts'
import { addressOf, asMail, say } from './said.ts'
import type { StoreBench } from './store-bench.ts'

const folder = 'tel:+15550001'
const latest = 50
/** Messages of one command when a folder is filled. */
const together = 200

/** Runs `work` with each format that was asked for; says so where there is no Dovecot. */
async function withDovecot(
  { options, report }: { options: StoreBench['options']; report(result: object): void },
  name: string,
  work: (dovecot: Dovecot, server: string) => Promise<void>,
): Promise<void> {
  for (const format of options.dovecotFormats) {
    const dovecot = await Dovecot.start({ folder: options.dovecotFolder, format })
    if (dovecot === undefined) {
      report({ case: name, server: 'dovecot', missing: 'dovecot-imapd is not installed, nor was --dovecot-dir given' })
      return
    }
    try {
      await work(dovecot, `dovecot ${dovecot.version} ${format}`)
    } finally {
      await dovecot.close()
    }
  }
}

/** APPEND, one message at a time on each connection, each to a folder of its own user. */
export async function dovecotInserts(bench: StoreBench): Promise<Map<string, Measured>> {
  const measured = new Map<string, Measured>()
  const { clients, seconds } = bench.options
  await withDovecot(reporting(bench), 'insert', async (dovecot, server) => {
    const open = Array.from({ length: clients }, async (_, at) => {
      const client = await dovecot.open(`bob${at + 1}`)
      await client.command(`CREATE "${folder}"`)
      return client
    })
    const connections = await Promise.all(open)
    let number = 0
    const act = async (at: number) => {
      const mail = asMail(say(++number, addressOf(at + 2), addressOf(at + 1)))
      await connections[at]?.append(folder, [mail])
    }
    const result = await measureClients({ clients, seconds, act, pids: dovecot.pids })
    measured.set(server, result)
    bench.report({ case: 'insert', server, door: 'IMAP APPEND', fsync: 'mail_fsync=optimized', clients, ...result })
    for (const client of connections) client.close()
  })
  return measured
}

/** FETCH of the latest 50 of folders with so many messages: as it is with the folder open, and with opening it. */
export async function dovecotLists(bench: StoreBench, sizes: readonly number[]): Promise<Map<string, Measured>> {
  const measured = new Map<string, Measured>()
  const { seconds } = bench.options
  await withDovecot(reporting(bench), 'list', async (dovecot, server) => {
    const client = await dovecot.open('bob1')
    await client.command(`CREATE "${folder}"`)
    let filled = 0
    for (const messages of sizes) {
      if (messages > bench.options.dovecotMost) continue
      await fillFolder(client, filled, messages)
      filled = messages
      const range = `${Math.max(1, messages - latest + 1)}:${messages}`
      const work = { clients: 1, seconds, pids: dovecot.pids }
      const select = () => client.select(folder)
      const fetch = async () => {
        const { length } = await client.fetch(range, '(UID FLAGS ENVELOPE BODY.PEEK[])')
        if (length !== Math.min(latest, messages)) throw new Error(`${server} gave ${length} messages`)
      }
      await select()
      bench.report({
        case: 'list',
        server,
        door: 'IMAP FETCH',
        messages,
        ...(await measureClients({ ...work, act: fetch })),
      })
      const opening = await measureClients({ ...work, act: () => select().then(fetch) })
      bench.report({ case: 'list', server, door: 'IMAP SELECT, FETCH', messages, ...opening })
      measured.set(`${server} ${messages}`, opening)
    }
    client.close()
  })
  return measured
}

async function fillFolder(client: ImapClient, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += together) {
    const count = Math.min(together, to - at)
    const mails = Array.from({ length: count }, (_, more) => asMail(say(at + more, addressOf(2), addressOf(1))))
    await client.append(folder, mails)
  }
}

const reporting = (bench: StoreBench) => ({
  options: bench.options,
  report: (result: object) => bench.report(result),
})

/** How many times more of one than of the other. */
export const times = (one: number, other: number): number => round(one / other)
