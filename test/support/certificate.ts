import { join } from 'node:path'

const fixture = (name: string): string => join(import.meta.dirname, 'fixtures', name)

/** A self-signed certificate for localhost, 127.0.0.1, ::1 and parley.test, and the key of it; good for tests only. */
export const certificate = { cert: fixture('localhost.cert.pem'), key: fixture('localhost.key.pem') }

/** Another one, for a server that is told to read its certificate again. */
export const renewed = { cert: fixture('renewed.cert.pem'), key: fixture('renewed.key.pem') }
