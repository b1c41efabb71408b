import { ha1 } from '../../protocols/sip/digest.ts'

/** What proves that somebody is `username`, by each algorithm. */
export interface CredentialRow {
  readonly username: string
  readonly md5: string
  readonly sha256: string
}

/** The bare user name, and the private identity of IMS. */
export const usernamesOf = (username: string, domain: string): string[] => [username, `${username}@${domain}`]

/** One row for each user name. */
export function credentialRows(username: string, domain: string, realm: string, password: string): CredentialRow[] {
  return usernamesOf(username, domain).map((name) => ({
    username: name,
    md5: ha1('MD5', name, realm, password),
    sha256: ha1('SHA-256', name, realm, password),
  }))
}
