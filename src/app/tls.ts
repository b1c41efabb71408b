import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { Config } from '../config/config.ts'
import { ConfigurationFault } from '../failure.ts'
import type { TlsIdentity } from '../sip/sip-stack.ts'

export interface Tls {
  readonly identity?: TlsIdentity
  readonly ca?: Buffer
}

export async function readTls({ sip: { tls } }: Config): Promise<Tls> {
  const cert = await readPem('sip.tls.cert', tls.cert)
  const key = await readPem('sip.tls.key', tls.key)
  const ca = await readPem('sip.tls.ca', tls.ca)
  if (cert !== undefined && key !== undefined) checkPair(cert, key)
  return { ...(cert && key && { identity: { cert, key } }), ...(ca && { ca }) }
}

async function readPem(name: string, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined
  try {
    return await readFile(path)
  } catch (err) {
    throw new ConfigurationFault(name, `cannot be read (${(err as Error).message})`, 'give the path of a PEM file', err)
  }
}

function checkPair(cert: Buffer, key: Buffer): void {
  try {
    createSecureContext({ cert, key })
  } catch (err) {
    const problem = `certificate and key do not go together (${(err as Error).message})`
    throw new ConfigurationFault('sip.tls.cert', problem, 'give the PEM files of one certificate and its key', err)
  }
}
