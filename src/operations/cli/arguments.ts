import { parseArgs } from 'node:util'
import { type Command, type CommandName, commands, commonOptions, type OwnOption, ownOptions } from './commands.ts'
import { UsageFault } from './usage.ts'

/** The command line, understood. */
export interface Arguments {
  readonly command: CommandName
  readonly operands: readonly string[]
  readonly options: Readonly<Partial<Record<OwnOption, string>>>
  readonly config: string | undefined
  readonly set: readonly (readonly [name: string, value: string])[]
  readonly json: boolean
}

type Values = ReturnType<typeof parse>['values']

/** Throws UsageFault. `--help` and `--version` are commands here. */
export function readArguments(argv: readonly string[]): Arguments | 'help' | 'version' {
  const { values, positionals } = parse(argv)
  if (values.version) return 'version'
  if (values.help || positionals[0] === 'help') return 'help'
  const command = commandOf(positionals)
  const operands = positionals.slice(command.name.split(' ').length)
  checkOperands(command, operands)
  return {
    command: command.name,
    operands,
    options: optionsOf(command, values),
    config: values.config,
    set: (values.set ?? []).map(readSetting),
    json: values.json ?? false,
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: { ...ownOptions, ...commonOptions },
      allowPositionals: true,
      strict: true,
    })
  } catch (err) {
    const [first = ''] = (err as Error).message.split('. ')
    throw new UsageFault(first.replace(/\n.*/s, ''))
  }
}

function commandOf(positionals: readonly string[]): (typeof commands)[number] {
  const [first, second] = positionals
  if (first === undefined) throw new UsageFault('no command given')
  const found = commands.find(({ name }) => name === first || name === `${first} ${second}`)
  if (found) return found
  const family = commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name.split(' ')[1])
  if (family.length > 0) throw new UsageFault(`${first} needs one of ${family.join(', ')}`)
  throw new UsageFault(`there is no command ${JSON.stringify(first)}`)
}

function checkOperands(command: Command, operands: readonly string[]): void {
  const missing = command.operands[operands.length]
  if (missing !== undefined) throw new UsageFault(`${missing} is missing`, command.name)
  const more = operands[command.operands.length + (command.optional === undefined ? 0 : 1)]
  if (more === undefined) return
  const quote = command.operands.includes('TEXT') ? ' (TEXT with spaces needs quotes)' : ''
  throw new UsageFault(`${JSON.stringify(more)} is too much${quote}`, command.name)
}

function optionsOf(command: Command, values: Values): Arguments['options'] {
  const options: Partial<Record<OwnOption, string>> = {}
  for (const name of Object.keys(ownOptions) as OwnOption[]) {
    const value = values[name]
    if (value === undefined) continue
    if (!command.options.includes(name)) throw new UsageFault(`${command.name} has no option --${name}`, command.name)
    options[name] = String(value)
  }
  return options
}

function readSetting(text: string): readonly [string, string] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new UsageFault(`--set ${text}: give key.path=value`)
  return [text.slice(0, equals).trim(), text.slice(equals + 1)]
}

/** Of `--count` and `--seconds`. */
export function readCount(options: Arguments['options'], name: 'count' | 'seconds'): number | undefined {
  const text = options[name]
  if (text === undefined) return undefined
  if (!/^\d{1,6}$/.test(text) || Number(text) === 0) throw new UsageFault(`--${name} ${text}: give a whole number`)
  return Number(text)
}
