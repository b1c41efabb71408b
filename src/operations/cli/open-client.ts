import { Failure } from '../../failure.ts'
import { checkedUri, fullAddress, serverUri } from './address.ts'
import type { Arguments } from './arguments.ts'
import type { Client, ClientNeeds } from './client-needs.ts'
import { findAccount } from './password.ts'
import { UsageFault } from './usage.ts'

/** A client for `user`, started; `work` has it, and it is closed whatever happens. */
export async function withClient<T>(
  needs: ClientNeeds,
  user: string,
  options: Arguments['options'],
  work: (client: Client, aor: string, server: string) => Promise<T>,
): Promise<T> {
  const server = options.server ?? serverUri(needs.sipListen)
  if (server === undefined) throw new UsageFault('sip.listen has no port to go by: give --server URI')
  const account = await findAccount(checkedUri(fullAddress(user, needs.domain)), options.password, needs)
  const client = needs.createClient({ ...account, server: checkedUri(server) })
  try {
    await client.start()
    return await work(client, account.aor, server)
  } finally {
    await client.close()
  }
}

/** Registers a client, so that others can reach it. */
export async function register({ note }: Pick<ClientNeeds, 'note'>, client: Client, aor: string, server: string) {
  const { status, reason } = await client.register()
  note(hintFor(status, server))
  if (status !== 200) throw new Failure('forbidden', `${aor} cannot register: ${status} ${reason}`)
}

/** What to look at when a status may be the client's own: nobody answered, or nobody is there (RFC 3261 §8.1.3.1). */
export function hintFor(status: number, server: string): string | undefined {
  return status === 408 || status === 503 ? `is a server running at ${server}? (--server URI names another)` : undefined
}
