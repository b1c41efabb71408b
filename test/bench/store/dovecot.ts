import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, rmSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ImapClient } from './imap-client.ts'

export interface DovecotOptions {
  /** Where Debian's packages dovecot-core and dovecot-imapd were unpacked; otherwise they are looked for in the system. */
  readonly folder: string | undefined
  readonly format: string
}

interface Account {
  readonly uid: number
  readonly gid: number
}

/**
 * Dovecot's IMAP server in a temporary folder, with settings of its own, all else as Dovecot has it by default (among
 * that mail_fsync=optimized: an APPEND is on disk before it is answered). One process for each connection that has come
 * over TCP, as Dovecot does it too; who the user is stands fast before, so that logging in is not measured.
 */
export class Dovecot {
  readonly version: string
  readonly #program: string
  readonly #folder: string
  readonly #environment: NodeJS.ProcessEnv
  readonly #account: Account | undefined
  readonly #children = new Set<ChildProcess>()
  /** The last of what it wrote to standard error. */
  #errors = ''

  /** Undefined where there is no Dovecot. */
  static async start({ folder: given = '', format }: DovecotOptions): Promise<Dovecot | undefined> {
    if (!existsSync(join(given, '/usr/lib/dovecot/imap'))) return undefined
    const folder = await mkdtemp(join(tmpdir(), 'bench-dovecot-'))
    const account = process.getuid?.() === 0 ? nobody() : undefined
    if (account !== undefined) chownSync(folder, account.uid, account.gid)
    await chmod(folder, 0o700)
    await writeFile(join(folder, 'dovecot.conf'), settings(folder, given, format), { mode: 0o644 })
    return new Dovecot(given, folder, account)
  }

  private constructor(given: string, folder: string, account: Account | undefined) {
    this.#program = given
    this.#folder = folder
    this.#account = account
    this.#environment = { LD_LIBRARY_PATH: join(given, '/usr/lib/dovecot'), PATH: process.env.PATH }
    const described = execFileSync(this.#path('/usr/bin/doveconf'), ['-n', '-c', join(folder, 'dovecot.conf')], {
      env: this.#environment,
      encoding: 'utf8',
    })
    process.once('exit', this.#end)
    this.version = /^# (\S+)/.exec(described)?.[1] ?? ''
  }

  get pids(): number[] {
    return [...this.#children].flatMap(({ pid }) => pid ?? [])
  }

  /** A connection as this user. */
  async open(user: string): Promise<ImapClient> {
    const server = createServer({ pauseOnConnect: true, noDelay: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    server.once('connection', (socket: Socket) => {
      this.#serve(user, socket)
      socket.destroy() // the child has its own
      server.close()
    })
    const client = await ImapClient.connect((server.address() as { port: number }).port)
    await client.command('NOOP').catch((err: Error) => {
      throw new Error(`${err.message}: ${this.#errors}`)
    })
    return client
  }

  async close(): Promise<void> {
    const ended = [...this.#children].map((child) => once(child, 'exit'))
    for (const child of this.#children) child.kill('SIGTERM')
    await Promise.all(ended)
    await rm(this.#folder, { recursive: true, force: true })
    process.removeListener('exit', this.#end)
  }

  /** It must not outlive this process, however that ends. */
  readonly #end = (): void => {
    for (const child of this.#children) child.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #serve(user: string, socket: Socket): void {
    const config = join(this.#folder, 'dovecot.conf')
    const imap = ['-f', 'service=imap', '-c', config, '-m', 'imap', '-e', this.#path('/usr/lib/dovecot/imap')]
    const child = spawn(this.#path('/usr/bin/doveconf'), imap, {
      cwd: this.#folder,
      env: { ...this.#environment, USER: user, HOME: join(this.#folder, user) },
      stdio: [socket, socket, 'pipe'],
      ...this.#account,
    })
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    child.stderr?.on('data', (bytes: Buffer) => {
      this.#errors = (this.#errors + bytes.toString()).slice(-2_000)
    })
  }

  #path(path: string): string {
    return join(this.#program, path)
  }
}

const settings = (folder: string, program: string, format: string): string =>
  [
    `base_dir = ${folder}`,
    'log_path = /dev/stderr',
    'protocols = imap',
    'ssl = no',
    `mail_location = ${format}:~/mail`,
    `mail_plugin_dir = ${join(program, '/usr/lib/dovecot/modules')}`,
    'stats_writer_socket_path =', // of a process that does not run here
    'first_valid_uid = 1',
    'default_login_user = nobody',
    'default_internal_user = nobody',
    'default_internal_group = nogroup',
    '',
  ].join('\n')

/** Dovecot serves no mail as root. */
function nobody(): Account {
  const id = (kind: string) => Number(execFileSync('id', [kind, 'nobody'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}
