import { readFileSync } from 'node:fs'
import type { Config } from './config/config.ts'
import { readConfig } from './config/read-config.ts'
import { type Arguments, readArguments } from './operations/cli/arguments.ts'
import { chat } from './operations/cli/chat-command.ts'
import { checkConfig, showKeys, showWholeConfig } from './operations/cli/config-command.ts'
import { writeHelp } from './operations/cli/help.ts'
import { listen } from './operations/cli/listen-command.ts'
import { sendMessage } from './operations/cli/message-command.ts'
import { Output } from './operations/cli/output.ts'
import { reportOf } from './operations/cli/report.ts'
import { firstSignal } from './operations/cli/signals.ts'
import { writeStartMessage } from './operations/cli/start-message.ts'
import { storeCommands } from './operations/cli/store-commands.ts'
import { userCommands } from './operations/cli/user-commands.ts'
import { readDemo } from './operations/demo.ts'
import { openLog } from './operations/logging.ts'

/** A command, understood and configured. */
interface Call {
  readonly args: Arguments
  readonly config: Config
  readonly written: ReadonlyMap<string, string>
  readonly output: Output
}

/** What `app.close` may take, and then some: whatever hangs, the process ends. */
const closeMs = 20_000

/** Exit status 0: done; 1: not done; 2: the command line is wrong. */
async function run(argv: readonly string[]): Promise<number> {
  const args = readArguments(argv)
  if (args === 'help') return print(writeHelp())
  if (args === 'version') return print(version())
  const output = new Output(process.stdout, args.json)
  const file = args.config ?? process.env.PARLEY_CONFIG
  const sources = { file: file === '' ? undefined : file, environment: process.env, set: args.set }
  return await runCommand({ args, ...readConfig(sources), output })
}

async function runCommand(call: Call): Promise<number> {
  const { args, config, written, output } = call
  switch (args.command) {
    case 'start':
      return await start(call)
    case 'config check':
      checkConfig({ demo: config.demo, output })
      return 0
    case 'config show':
      showWholeConfig({ written, output })
      return 0
    case 'config keys':
      showKeys({ output })
      return 0
    case 'migrate':
      await migrate(call)
      return 0
    case 'message':
      return await sendMessage(await clientNeeds(call), args)
    case 'listen':
      return await listen({ ...(await clientNeeds(call)), stopped: stopped() }, args)
    case 'chat':
      return await chat({ ...(await clientNeeds(call)), ...terminal(args.json), stopped: stopped() }, args)
    case 'store export':
    case 'store import':
    case 'store erase':
      return await runStoreCommand(call, args.command)
    case 'help':
      return print(writeHelp())
    default:
      await runUserCommand(call, args.command)
      return 0
  }
}

async function start({ config, written }: Call): Promise<number> {
  const signal = firstSignal()
  const log = openLog({ level: config.log.level })
  const { startApp } = await import('./app.ts') // not at the top: the other commands start faster without the server
  const app = await startApp(config, log)
  process.on('SIGHUP', () => {
    app.reload().catch((err: unknown) => log.error({ part: 'main', err }, 'reload failed, what was loaded stays'))
  })
  const settings = written.has('data.dir') ? [`data.dir=${config.data.dir}`] : []
  print(writeStartMessage(app, { domain: config.domain, dataDir: config.data.dir, command: command(), settings }))
  log.info({ part: 'main', signal: await signal }, 'stopping')
  setTimeout(() => process.exit(1), closeMs).unref()
  await app.close()
  return 0
}

async function migrate({ config, written, output }: Call): Promise<void> {
  const { migrate } = await import('./app.ts')
  const applied = await migrate(config, commandLog(config, written))
  output.result({ applied }, () => applied.map((name) => `applied ${name}`).join('\n') || 'the database is up to date')
}

async function runUserCommand(call: Call, name: keyof typeof userCommands): Promise<void> {
  const { args, config, written, output } = call
  const { openDirectory } = await import('./app.ts')
  const opened = await openDirectory(config, commandLog(config, written))
  try {
    const password = process.env.PARLEY_PASSWORD
    await userCommands[name]({ domain: config.domain, directory: opened.subscribers, output, password }, args)
  } finally {
    await opened.close()
  }
}

async function runStoreCommand(call: Call, name: keyof typeof storeCommands): Promise<number> {
  const { args, config, written, output } = call
  const { openStore } = await import('./app/open-store.ts')
  const opened = await openStore(config, commandLog(config, written))
  try {
    const { stdin: input, stdout, stderr } = process
    const screen = stderr.isTTY ? stderr : undefined
    const needs = { ...opened, domain: config.domain, output, stdout, input, note, screen, stopped: stopped() }
    return await storeCommands[name](needs, args)
  } finally {
    await opened.close()
  }
}

const note = (text: string | undefined) => void (text && process.stderr.write(`${text}\n`))

async function clientNeeds({ config, output }: Call) {
  const { buildClient } = await import('./app/client.ts')
  return {
    createClient: buildClient,
    output,
    note,
    domain: config.domain,
    sipListen: config.sip.listen,
    password: process.env.PARLEY_PASSWORD,
    demoUsers: async () => (config.demo ? ((await readDemo(config.data.dir))?.users ?? []) : []),
  }
}

/** Where a chat is typed; a screen is there only for a person. */
function terminal(json: boolean) {
  const { stdin: input, stdout } = process
  return { input, screen: input.isTTY && stdout.isTTY && !json ? stdout : undefined }
}

/** Aborted by SIGINT, SIGTERM, or when nobody reads standard output any more. */
function stopped(): AbortSignal {
  const controller = new AbortController()
  void firstSignal().then(() => controller.abort())
  process.stdout.once('error', () => controller.abort())
  return controller.signal
}

/** Beside a command's result only what is wrong is said, unless more is asked for. */
function commandLog({ log }: Config, written: ReadonlyMap<string, string>) {
  return openLog({ level: written.has('log.level') ? log.level : 'warn' })
}

/** In a checkout the command goes by npm: `npx parley` would fetch somebody else's package. */
const command = () => (process.env.npm_lifecycle_event === undefined ? 'parley' : 'npm run -s parley --')

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return `parley ${version}`
}

function print(text: string): number {
  process.stdout.write(`${text}\n`)
  return 0
}

process.stdout.on('error', () => {}) // a reader that went away stops no server
try {
  process.exitCode = await run(process.argv.slice(2))
} catch (err) {
  const { text, status } = reportOf(err)
  process.stderr.write(`${text}\n`)
  process.exitCode = status
}
// Nothing is left to do; a handle that somebody forgot does not keep the process.
setTimeout(() => process.exit(), 1000).unref()
