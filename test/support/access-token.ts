import { passwordOf } from './add-users.ts'
import { exchange, type XcapAnswer } from './xcap-client.ts'

interface Served {
  readonly http: string
}

export interface TokenAnswer extends XcapAnswer {
  readonly json: Readonly<Record<string, unknown>>
  readonly access: string
  readonly refresh: string
}

export const formType = 'application/x-www-form-urlencoded'

/** POST /oauth/token with these parameters. */
export async function askToken(server: Served, parameters: Readonly<Record<string, string>>): Promise<TokenAnswer> {
  const body = new URLSearchParams(parameters).toString()
  const answer = await exchange(server.http, 'POST', '/oauth/token', body, { 'content-type': formType })
  const json = answer.text === '' ? {} : (JSON.parse(answer.text) as Record<string, unknown>)
  return { ...answer, json, access: String(json.access_token), refresh: String(json.refresh_token) }
}

/** Logs a user in, who has the password of tests. */
export const logIn = (server: Served, user: string, scope?: string, password = passwordOf(user)) =>
  askToken(server, { grant_type: 'password', username: user, password, ...(scope !== undefined && { scope }) })

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
