import type { Checked } from '../../protocols/sip/check-request.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import type { ClientMachine } from './client-transaction.ts'
import { InviteServerTransaction } from './invite-server.ts'
import type { ServerMachine } from './server-transaction.ts'

/** The branch of every element that follows RFC 3261 begins so (§8.1.1.7). */
export const magicCookie = 'z9hG4bK'

/** All transactions by what finds them: one map each way. */
export class TransactionLayer {
  readonly #clients = new Map<string, ClientMachine>()
  readonly #servers = new Map<string, ServerMachine>()

  get clients(): number {
    return this.#clients.size
  }

  get servers(): number {
    return this.#servers.size
  }

  addClient(machine: ClientMachine): void {
    this.#clients.set(machine.key, machine)
  }

  client(key: string): ClientMachine | undefined {
    return this.#clients.get(key)
  }

  removeClient(machine: ClientMachine): void {
    this.#clients.delete(machine.key)
  }

  addServer(machine: ServerMachine): void {
    this.#servers.set(machine.key, machine)
  }

  server(key: string): ServerMachine | undefined {
    return this.#servers.get(key)
  }

  removeServer(machine: ServerMachine): void {
    this.#servers.delete(machine.key)
  }

  clear(): void {
    this.#clients.clear()
    this.#servers.clear()
  }

  /** The INVITE transaction that an ACK or CANCEL belongs to. */
  invite(request: SipRequest, checked: Checked, topVia: string): InviteServerTransaction | undefined {
    const found = this.#servers.get(serverKey('INVITE', request, checked, topVia))
    return found instanceof InviteServerTransaction ? found : undefined
  }
}

/** What a response has of its request: the branch, and the method, as a CANCEL has the branch of its INVITE (§17.1.3). */
export const clientKey = (branch: string, method: string) => `${branch} ${method}`

/**
 * What a request has in common with its retransmissions, its ACK and its CANCEL, and with no other (RFC 3261 §17.2.3).
 * `topVia` is the header line as it came. Joined from an array, which copies the characters: a template would keep its
 * parts, and with them the whole head that they are slices of, for as long as the transaction lives.
 */
export function serverKey(method: string, request: SipRequest, checked: Checked, topVia: string): string {
  const branch = checked.via.params.get('branch')
  // The cookie alone is told apart from nothing (RFC 4475 §3.2.1).
  if (branch?.startsWith(magicCookie) && branch !== magicCookie)
    return [method, branch, checked.via.host, checked.via.port].join(' ')
  const { from, callId, cseq } = checked
  return [method, request.uri, from.params.get('tag'), callId, cseq.number, topVia].join(' ')
}
