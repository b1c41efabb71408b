import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Failure } from '../../failure.ts'
import { fullAddress } from './address.ts'
import type { Arguments } from './arguments.ts'
import { type Output, printable } from './output.ts'
import { Progress } from './progress.ts'
import { UsageFault } from './usage.ts'

const formats = ['jsonl', 'mbox'] as const
type Format = (typeof formats)[number]
type OnFault = (line: number, fault: string) => void

/** What a user has stored: enablers/message-store, with a server running beside it or without one. */
interface Store {
  /** Throws `not-found`. */
  userOf(uri: string): Promise<{ readonly id: number; readonly identities: readonly string[] }>
  stateOf(owner: number): Promise<{ readonly objects: number; readonly bytes: number }>
  readonly archive: {
    export(owner: number, user: string, format: Format, onObject: () => void): AsyncIterable<Buffer>
    check(source: AsyncIterable<Buffer>, onFault: OnFault): Promise<void>
    import(
      owner: number,
      source: AsyncIterable<Buffer>,
      options: { onFault: OnFault },
    ): Promise<{ readonly added: number; readonly known: number; readonly faults: number }>
  }
  /** Nothing of it is left. */
  erase(owner: number): Promise<void>
}

interface Needs extends Store {
  readonly domain: string
  readonly output: Output
  readonly stdout: Writable
  readonly input: NodeJS.ReadableStream
  readonly note: (text: string | undefined) => void
  /** Where a person sees how far it is. */
  readonly screen: NodeJS.WritableStream | undefined
  readonly stopped: AbortSignal
}

type StoreCommand = (needs: Needs, args: Arguments) => Promise<number>

export const storeCommands = {
  'store export': async (needs, { operands, options }) => {
    const format = formatOf(options.format)
    const { id, uri } = await findUser(needs, operands)
    const { objects } = await needs.stateOf(id)
    const progress = new Progress(needs.screen, objects, 'objects')
    let exported = 0
    const pieces = needs.archive.export(id, uri, format, () => {
      exported += 1
      progress.advance(1)
    })
    await (options.out === undefined ? writeOut(pieces, needs) : writeFile(pieces, options.out, needs))
    progress.end()
    const said = `exported ${counted(exported)} of ${uri}`
    if (options.out === undefined) needs.note(said)
    else needs.output.result({ exported, file: options.out }, () => `${said} to ${options.out}`)
    return 0
  },

  'store import': async (needs, { operands, options }) => {
    const { id, uri } = await findUser(needs, operands)
    const file = operands[1] ?? ''
    if (options.strict !== undefined) await refuseFaults(needs, file)
    const progress = await progressOf(needs, file)
    const onFault = faultsOf(needs, file)
    const imported = await needs.archive.import(id, bytesOf(file, needs, progress), { onFault })
    progress.end()
    const { added, known, faults } = imported
    needs.output.result(imported, () => {
      const skipped = faults === 0 ? '' : `, ${faults} skipped`
      return `imported ${counted(added)} for ${uri}, ${known} were there${skipped}`
    })
    return faults === 0 ? 0 : 1
  },

  'store erase': async (needs, { operands, options }) => {
    const { id, uri } = await findUser(needs, operands)
    const { objects, bytes } = await needs.stateOf(id)
    const question = `erase all that ${uri} has stored (${counted(objects)}, ${bytes} bytes)? yes or no: `
    if (options.yes === undefined && !(await agreed(needs, question)))
      throw new Failure('not-permitted', 'nothing is erased')
    await needs.erase(id)
    needs.output.result({ erased: uri, objects }, () => `erased ${counted(objects)} of ${uri}`)
    return 0
  },
} as const satisfies Record<string, StoreCommand>

const counted = (objects: number) => `${objects} ${objects === 1 ? 'object' : 'objects'}`

function formatOf(written = 'jsonl'): Format {
  const format = formats.find((name) => name === written)
  if (format === undefined) throw new UsageFault(`--format ${written}: give jsonl or mbox`, 'store export')
  return format
}

async function findUser({ userOf, domain }: Needs, operands: readonly string[]): Promise<{ id: number; uri: string }> {
  const uri = fullAddress(operands[0] ?? '', domain)
  const { id, identities } = await userOf(uri)
  return { id, uri: identities[0] ?? uri }
}

async function writeOut(pieces: AsyncIterable<Buffer>, { stdout, stopped }: Needs): Promise<void> {
  await interruptible(() =>
    pipeline(Readable.from(pieces, { objectMode: true }), stdout, { signal: stopped, end: false }),
  )
}

/** The file is there once it is whole; it is for nobody but who runs the command. */
async function writeFile(pieces: AsyncIterable<Buffer>, file: string, { stopped }: Needs): Promise<void> {
  const unfinished = `${file}.${randomUUID()}.part`
  try {
    await readable(async () => await (await open(unfinished, 'wx', 0o600)).close(), file)
    await interruptible(() =>
      pipeline(Readable.from(pieces), createWriteStream(unfinished, { flush: true }), { signal: stopped }),
    )
    await readable(() => rename(unfinished, file), file)
  } finally {
    await rm(unfinished, { force: true })
  }
}

async function interruptible(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (err) {
    if (err instanceof Error && err.name === 'AbortError')
      throw new Failure('overloaded', 'interrupted', { cause: err })
    throw err
  }
}

/** What the system says of a file is no bug. */
async function readable<T>(work: () => Promise<T>, file: string): Promise<T> {
  try {
    return await work()
  } catch (err) {
    throw new Failure('not-found', `${file}: ${(err as Error).message}`, { cause: err })
  }
}

async function* bytesOf(file: string, { stopped }: Needs, progress?: Progress): AsyncGenerator<Buffer> {
  const stream = createReadStream(file, { highWaterMark: 262_144 })
  try {
    for await (const bytes of stream as AsyncIterable<Buffer>) {
      if (stopped.aborted) throw new Failure('overloaded', 'interrupted; what was imported by now stays')
      progress?.advance(bytes.length)
      yield bytes
    }
  } catch (err) {
    if (err instanceof Failure) throw err
    throw new Failure('not-found', `cannot read ${file}: ${(err as Error).message}`, { cause: err })
  }
}

async function progressOf({ screen }: Needs, file: string): Promise<Progress> {
  const { size } = await readable(() => stat(file), file)
  return new Progress(screen, size, 'bytes')
}

const faultsOf =
  ({ note }: Needs, file: string): OnFault =>
  (line, fault) =>
    note(`${file}, line ${line}: ${printable(fault)}`)

async function refuseFaults(needs: Needs, file: string): Promise<void> {
  let faults = 0
  const say = faultsOf(needs, file)
  await needs.archive.check(bytesOf(file, needs), (line, fault) => {
    faults += 1
    say(line, fault)
  })
  if (faults > 0)
    throw new Failure('malformed', `${file}: ${faults} bad ${faults === 1 ? 'line' : 'lines'}, nothing is imported`)
}

async function agreed({ input, note, stopped }: Needs, question: string): Promise<boolean> {
  note(question)
  const lines = createInterface({ input, terminal: false })
  const stop = () => lines.close()
  stopped.addEventListener('abort', stop)
  try {
    for await (const line of lines) return line.trim().toLowerCase() === 'yes'
    return false
  } finally {
    stopped.removeEventListener('abort', stop)
    stop()
  }
}
