/** Whole SIP messages in the log (`log.sip`), with credentials masked. */

interface Needs {
  readonly log: { info(fields: object, text: string): void }
}

export interface TracedPeer {
  readonly transport: string
  readonly address: string
  readonly port: number
}

/** Called for each message that comes or goes. The stack is given none when `log.sip` is off, so that it costs nothing. */
export type SipTrace = (direction: 'in' | 'out', peer: TracedPeer, bytes: Buffer) => void

export function buildSipTrace(needs: Needs): SipTrace {
  return (direction, { transport, address, port }, bytes) => {
    const peer = `${transport}:${address.includes(':') ? `[${address}]` : address}:${port}`
    needs.log.info({ part: 'sip', direction, peer, message: maskSip(bytes.toString('utf8')) }, 'sip message')
  }
}

/** Field name, white space and colon (RFC 3261 §7.3.1), the value with its folded lines. Also in a message/sip body. */
const credentialFields =
  /^((?:proxy-)?authorization|(?:proxy-)?authentication-info)([ \t]*:)([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)/gim
/** The same as header fields of a SIP URI (RFC 3261 §19.1.1). */
const credentialsInUri = /([?&](?:proxy-)?authorization=)[^&>\s;]*/gi
const secretParams = /\b(response|nonce|cnonce|nextnonce|rspauth)(\s*=\s*)("(?:[^"\\]|\\[\s\S])*(?:"|$)|[^\s,"]+)/gi

/** The text of a message without what would let a reader sign in: digest answers and nonces, tokens, passwords. */
export function maskSip(text: string): string {
  return text.replace(credentialFields, maskField).replace(credentialsInUri, '$1***')
}

function maskField(_field: string, name: string, colon: string, value: string): string {
  const isDigest = /^\s*digest\s/i.test(value) || name.toLowerCase().endsWith('info')
  return `${name}${colon}${isDigest ? value.replace(secretParams, '$1$2"***"') : ' ***'}`
}
