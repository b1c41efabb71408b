import { type Command, commands, commonOptions, type Option, ownOptions } from './commands.ts'

/** The text of `parley help`. */
export function writeHelp(): string {
  return [
    'usage: parley COMMAND [OPTIONS]',
    '',
    ...columns(commands.map((command) => [synopsis(command), command.meaning])),
    '',
    'Options:',
    ...columns(Object.entries({ ...ownOptions, ...commonOptions }).map(optionRow)),
    '',
    'USER, FROM, TO and URI may be short: alice is sip:alice@ the domain, +15550001 is tel:+15550001.',
    'Exit status: 0 done, 1 not done, 2 the command line is wrong.',
  ].join('\n')
}

/** `user add URI --password P [--tel TEL]`. */
export function synopsis(command: Command): string {
  const options = command.options.map((name) => `[${optionForm(name, ownOptions[name])}]`)
  const optional = command.optional === undefined ? [] : [`[${command.optional}]`]
  return [command.name, ...command.operands, ...optional, ...options].join(' ')
}

function optionForm(name: string, option: Option): string {
  return option.value ? `--${name} ${option.value}` : `--${name}`
}

const optionRow = ([name, option]: [string, Option]) => [optionForm(name, option), option.meaning] as const

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = 34
  return rows.map(([left, right]) =>
    left.length < width ? `  ${left.padEnd(width)}${right}` : `  ${left}\n  ${''.padEnd(width)}${right}`,
  )
}
