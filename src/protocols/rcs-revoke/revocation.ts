import { MalformedXml } from '../xml/malformed-xml.ts'
import { readElements } from '../xml/read-elements.ts'
import { escapeAttribute } from '../xml/references.ts'
import { stringValue } from '../xml/string-value.ts'
import { MalformedRevocation } from './malformed-revocation.ts'

/** The content type of a revocation and of what came of it (GSMA RCC.07, message revocation; features 1.7). */
export const revocationType = 'application/vnd.gsma.rcsrevoke+xml'
/** The feature tag of a device that takes revocations. */
export const revocationTag = '+g.gsma.rcs.msgrevoke'
const namespace = 'urn:gsma:params:xml:ns:rcs:rcs:rcsrevoke'

/** `result`: it is the answer to a revocation. */
export interface Revocation {
  /** imdn.Message-ID of what is revoked. */
  readonly messageId: string
  readonly result?: 'success' | 'failed'
}

/**
 * The namespace and the content type are known; the names of the elements are not from a source at hand. They are here and
 * nowhere else, and any that look like them are read.
 */
const request = 'MessageRevoke'
const response = 'MessageRevokeResponse'
const requests: ReadonlySet<string> = new Set(['messagerevoke', 'messagerevokerequest', 'imrevoke'])
const responses: ReadonlySet<string> = new Set(['messagerevokeresponse', 'imrevokeresponse'])

const limits = { depth: 6, elements: 50 }
const mostBytes = 16_384
const longestId = 1024

/** Throws MalformedRevocation. */
export function readRevocation(bytes: Buffer): Revocation {
  if (bytes.length > mostBytes) throw new MalformedRevocation('too large')
  try {
    return revocationIn(bytes.toString('utf8'))
  } catch (err) {
    if (err instanceof MalformedXml) throw new MalformedRevocation(err.message, { cause: err })
    throw err
  }
}

function revocationIn(text: string): Revocation {
  const root = readElements(text, limits)
  const name = root.name.toLowerCase()
  if (root.namespace !== namespace && root.namespace !== '') throw new MalformedRevocation('another namespace')
  if (!requests.has(name) && !responses.has(name)) throw new MalformedRevocation('another document')
  const child = (wanted: string) => {
    const found = root.children.find((one) => one.name.toLowerCase().replace('-', '') === wanted)
    return found && stringValue(text, found).trim()
  }
  const messageId = child('messageid')
  if (messageId === undefined || messageId === '' || messageId.length > longestId)
    throw new MalformedRevocation('no Message-ID')
  const result = child('result')
  if (!responses.has(name) && result === undefined) return { messageId }
  return { messageId, result: /^(?:success|1|true)$/i.test(result ?? '') ? 'success' : 'failed' }
}

export function writeRevocation({ messageId, result }: Revocation): Buffer {
  const name = result === undefined ? request : response
  const told = result === undefined ? '' : `<result>${result}</result>`
  const id = escapeAttribute(messageId).replaceAll('>', '&gt;')
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="${namespace}"><Message-ID>${id}</Message-ID>${told}</${name}>`,
  )
}
