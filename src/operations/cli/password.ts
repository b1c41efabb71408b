import { UsageFault } from './usage.ts'

interface DemoUser {
  readonly aor: string
  readonly tel: string
  readonly password: string
}

export interface Needs {
  /** Of PARLEY_PASSWORD. */
  readonly password: string | undefined
  readonly demoUsers: () => Promise<readonly DemoUser[]>
}

/** Who a client is, and what proves it: `--password`, PARLEY_PASSWORD, or what the demo users have. */
export async function findAccount(
  address: string,
  option: string | undefined,
  { password, demoUsers }: Needs,
): Promise<{ aor: string; password: string }> {
  const given = option ?? password
  if (given !== undefined) return { aor: address, password: given }
  const user = (await demoUsers()).find(({ aor, tel }) => aor === address.toLowerCase() || tel === address)
  if (user) return { aor: user.aor, password: user.password }
  throw new UsageFault(`the password of ${address} is not known: give --password or PARLEY_PASSWORD`)
}
