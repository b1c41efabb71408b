import { randomBytes, randomInt } from 'node:crypto'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigurationFault, Failure } from '../failure.ts'

/** Somebody to try the server with. */
export interface DemoUser {
  readonly aor: string
  readonly tel: string
  readonly name: string
  readonly password: string
}

/** What `demo-users.json` holds: made at the first start, the same ever after. */
export interface Demo {
  readonly users: readonly DemoUser[]
  readonly adminToken: string
}

export interface Needs {
  readonly dataDir: string
  readonly domain: string
  readonly subscribers: {
    find(aor: string): object | undefined | Promise<object | undefined>
    add(user: { uri: string; password: string; tel: string; name: string }): Promise<unknown>
    setPassword(uri: string, password: string): Promise<unknown>
  }
}

const fileName = 'demo-users.json'
const people = ['Alice', 'Bob', 'Carol']

/** Alice, Bob and Carol are served, with the passwords of the file; it is made when it is not there. */
export async function ensureDemoUsers({ dataDir, domain, subscribers }: Needs): Promise<Demo> {
  const kept = await readDemo(dataDir)
  const demo = kept ?? (await makeDemo(dataDir, domain))
  for (const { aor, tel, name, password } of demo.users) {
    if ((await subscribers.find(aor)) === undefined) await subscribers.add({ uri: aor, password, tel, name })
    else if (!kept) await subscribers.setPassword(aor, password) // the file was lost, the database was not
  }
  return demo
}

/** What the file holds; undefined when there is none yet. */
export async function readDemo(dataDir: string): Promise<Demo | undefined> {
  const file = join(dataDir, fileName)
  try {
    return checked(JSON.parse(await readFile(file, 'utf8')))
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new ConfigurationFault(
      'data.dir',
      `cannot read ${file} (${(err as Error).message})`,
      'remove it, or use another',
    )
  }
}

function checked(value: unknown): Demo {
  const { users, adminToken } = (value ?? {}) as Partial<Demo>
  if (typeof adminToken === 'string' && Array.isArray(users) && users.every(isDemoUser)) return { users, adminToken }
  throw new Failure('malformed', 'it is not what the server wrote')
}

const isDemoUser = (user: Partial<Record<keyof DemoUser, unknown>> | null) =>
  [user?.aor, user?.tel, user?.name, user?.password].every((part) => typeof part === 'string')

/** Written whole or not at all: whoever finds the file finds all of it. */
async function makeDemo(dataDir: string, domain: string): Promise<Demo> {
  const users = people.map((name, index) => ({
    aor: `sip:${name.toLowerCase()}@${domain}`,
    tel: `tel:+1555000${index + 1}`,
    name,
    password: makePassword(),
  }))
  const demo = { users, adminToken: randomBytes(24).toString('base64url') }
  const file = join(dataDir, fileName)
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await writeFile(`${file}.new`, `${JSON.stringify(demo, null, 2)}\n`, { mode: 0o600 })
  await chmod(`${file}.new`, 0o600) // one that a crash left behind may have had another mode
  await rename(`${file}.new`, file)
  return demo
}

/** Without letters that look like others: 12 of 31 is 59 bits. */
const letters = 'abcdefghjkmnpqrstuvwxyz23456789'

const makePassword = () => Array.from({ length: 12 }, () => letters[randomInt(letters.length)]).join('')
