import { hostPort, type ListeningAddress } from '../addresses.ts'

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken by another program',
  EADDRNOTAVAIL: 'is not an address of this machine',
  EACCES: 'needs a privilege this process has not',
}

/** An address that cannot be listened on. */
export class Unlistenable extends Error {
  readonly listen: ListeningAddress
  constructor(listen: ListeningAddress, cause: unknown) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    const where = `${listen.transport}:${hostPort(listen.address, listen.port)}`
    super(`${where} ${reasons[code] ?? `cannot be listened on: ${(cause as Error).message}`}`, { cause })
    this.name = 'Unlistenable'
    this.listen = listen
  }
}
