import { readOptions } from './bench-options.ts'
import { openPostgres } from './postgres.ts'
import { type CaseName, storeCases } from './store/cases.ts'
import { StoreBench } from './store/store-bench.ts'

const usage = `npm run bench:store -- [--database-url URL] [--seconds 5] [--cases insert,queries,recording,content]
  [--objects 10000,100000,1000000] [--clients 32] [--mebibytes 64]
  [--dovecot-dir FOLDER] [--dovecot-formats maildir,mdbox] [--dovecot-most 10000] [--profile FOLDER]
insert: messages for sender and recipient, and objects, through group commit, at first and again behind the queries, beside
IMAP APPEND to Dovecot. queries: the latest 50 of a conversation (through the repository and NMS), what changed since 50 changes,
and words, in a mailbox of half of all objects, for each number of them; beside FETCH from Dovecot. recording: MSRP through
the whole server, recorded or not. content: files up and down, beside a plain node:http server that streams to and from disk.
One JSON line for each measurement and one for each goal; behind them a table on standard error.
Both are on disk before they answer: Postgres with fsync and synchronous_commit on, Dovecot with mail_fsync=optimized, the plain
server with one fsync for each file. CPU: utime and stime of the server's processes; that of Postgres beside it. machineLoad:
processes that wanted to run, in the last minute.
Dovecot is that of the system (Debian: dovecot-imapd), or what was unpacked to --dovecot-dir; --dovecot-most: messages of one
folder, at most. --profile: where Parley writes CPU profiles.`

const values = readOptions(usage, {
  'database-url': undefined,
  seconds: '5',
  cases: 'insert,queries,recording,content',
  objects: '10000,100000,1000000',
  clients: '32',
  mebibytes: '64',
  'dovecot-dir': undefined,
  'dovecot-formats': 'maildir,mdbox',
  'dovecot-most': '10000',
  profile: undefined,
})

const numbers = (list: string): number[] => list.split(',').map(Number)

const postgres = await openPostgres(values['database-url'])
const bench = new StoreBench(postgres, {
  seconds: Number(values.seconds),
  clients: Number(values.clients),
  sizes: numbers(values.objects).sort((one, other) => one - other),
  dovecotFolder: values['dovecot-dir'],
  dovecotFormats: values['dovecot-formats'].split(','),
  dovecotMost: Number(values['dovecot-most']),
  mebibytes: Number(values.mebibytes),
  profile: values.profile,
})
try {
  for (const name of values.cases.split(',') as CaseName[]) {
    const run = storeCases[name]
    if (run === undefined) throw new Error(`no case ${name}`)
    await run(bench).catch((err: Error) => bench.report({ case: name, error: err.message }))
  }
  process.stderr.write(bench.table())
} finally {
  await postgres.close()
}
process.exit(0)
