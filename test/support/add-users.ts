import type { Config } from '../../src/config/config.ts'
import { openDatabase } from '../../src/database/index.ts'
import { Subscribers } from '../../src/signalling/subscribers/subscribers.ts'
import { quiet } from './quiet-log.ts'

export interface TestUser {
  readonly user: string
  readonly tel?: string
}

export const passwordOf = (user: string): string => `${user}-secret`

/** Adds users before the server starts. */
export async function addUsers(url: string, config: Config, users: readonly TestUser[]): Promise<void> {
  const database = await openDatabase({ url, poolSize: 2 }, quiet)
  const subscribers = new Subscribers({ database, domain: config.domain, realm: config.sip.auth.realm })
  const toUser = ({ user, tel }: TestUser) => ({
    uri: `sip:${user}@${config.domain}`,
    password: passwordOf(user),
    ...(tel !== undefined && { tel }),
  })
  try {
    await subscribers.import(users.map(toUser))
  } finally {
    subscribers.close()
    await database.close()
  }
}
