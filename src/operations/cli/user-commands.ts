import { Failure } from '../../failure.ts'
import { fullAddress } from './address.ts'
import type { Arguments } from './arguments.ts'
import type { Output } from './output.ts'
import { UsageFault } from './usage.ts'
import { readUserFile, type UserLine } from './user-file.ts'

interface Subscriber {
  readonly id: number
  readonly name: string
  readonly username: string
  readonly identities: readonly string[]
}

/** The directory of users: signalling/subscribers, with a server running beside it or without one. */
export interface Directory {
  add(user: UserLine): Promise<Subscriber>
  /** By id; `after` is the last id of the page before. */
  list(page: { after: number; limit: number }): Promise<readonly Subscriber[]>
  remove(uri: string): Promise<unknown>
  setPassword(uri: string, password: string): Promise<unknown>
  /** All of them or none; their number. */
  import(users: AsyncIterable<UserLine>): Promise<number>
}

interface Needs {
  readonly domain: string
  readonly directory: Directory
  readonly output: Output
  /** Of PARLEY_PASSWORD. */
  readonly password: string | undefined
}

type UserCommand = (needs: Needs, args: Arguments) => Promise<void>

export const userCommands = {
  'user add': async ({ domain, directory, output, password }, { operands, options }) => {
    const { tel, name } = options
    const user = { uri: fullAddress(operands[0] ?? '', domain), password: passwordOf(options.password ?? password) }
    const added = await directory.add({ ...user, ...(tel && { tel }), ...(name && { name }) })
    output.result(shown(added), () => `added ${added.identities.join(', ')}`)
  },

  'user list': async ({ directory, output }) => {
    for await (const user of everybody(directory)) output.result(shown(user), () => row(user))
  },

  'user remove': async ({ domain, directory, output }, { operands }) => {
    const uri = fullAddress(operands[0] ?? '', domain)
    await directory.remove(uri)
    output.result({ removed: uri }, () => `removed ${uri}`)
  },

  'user password': async ({ domain, directory, output, password }, { operands, options }) => {
    const uri = fullAddress(operands[0] ?? '', domain)
    await directory.setPassword(uri, passwordOf(options.password ?? password))
    output.result({ changed: uri }, () => `the password of ${uri} is changed`)
  },

  'user import': async ({ domain, directory, output }, { operands }) => {
    const imported = await directory.import(linesOf(operands[0] ?? '', domain))
    output.result({ imported }, () => `imported ${imported} users`)
  },
} as const satisfies Record<string, UserCommand>

async function* everybody(directory: Directory): AsyncGenerator<Subscriber> {
  for (let after = 0; ; ) {
    const page = await directory.list({ after, limit: 1000 })
    yield* page
    const last = page.at(-1)
    if (!last) return
    after = last.id
  }
}

async function* linesOf(file: string, domain: string): AsyncGenerator<UserLine> {
  for await (const line of readUserFile(file)) yield { ...line, uri: fullAddress(line.uri, domain) }
}

function passwordOf(password: string | undefined): string {
  if (password === undefined) throw new UsageFault('--password or PARLEY_PASSWORD is missing')
  if (password === '') throw new Failure('malformed', 'the password is empty')
  return password
}

const shown = ({ name, username, identities }: Subscriber) => ({ uri: identities[0], username, identities, name })

const row = ({ name, identities }: Subscriber) => [identities.join(' '), name].filter((part) => part !== '').join('  ')
