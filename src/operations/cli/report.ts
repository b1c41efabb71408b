import { ConfigurationFault, Failure } from '../../failure.ts'
import { commands } from './commands.ts'
import { synopsis } from './help.ts'
import { UsageFault } from './usage.ts'

export interface Report {
  readonly text: string
  readonly status: number
}

/** What is said of a command that failed, and its exit status. A stack is for bugs only. */
export function reportOf(err: unknown): Report {
  if (err instanceof UsageFault) return { text: `parley: ${oneLine(err.message)}\n${usageOf(err)}`, status: 2 }
  if (err instanceof ConfigurationFault) return { text: `parley: ${oneLine(err.message)}`, status: 1 }
  if (err instanceof Failure) return { text: `parley: ${oneLine(inWords(err))}`, status: 1 }
  return {
    text: `parley: this is a bug: ${err instanceof Error ? (err.stack ?? err.message) : String(err)}`,
    status: 1,
  }
}

const oneLine = (text: string) => text.replace(/\s*[\r\n]+\s*/g, ' ')

/** `not-found: sip:…` is written for programs. */
const inWords = ({ condition, message }: Failure) => message.replace(condition, condition.replaceAll('-', ' '))

function usageOf({ command }: UsageFault): string {
  const found = commands.find(({ name }) => name === command)
  return `usage: parley ${found ? synopsis(found) : 'COMMAND [OPTIONS]; parley help lists the commands'}`
}
