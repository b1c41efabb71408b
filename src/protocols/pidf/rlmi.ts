import { escapeAttribute } from '../xml/references.ts'

export const rlmiType = 'application/rlmi+xml'

/** A resource of a list (RFC 4662 §5.3): its state is in the part that `cid` names. */
export interface ListedResource {
  readonly uri: string
  readonly state: 'active' | 'pending' | 'terminated'
  /** Of a subscription that has ended. */
  readonly reason?: string | undefined
  readonly cid?: string | undefined
}

/** The meta-information of a list: which of its resources are told of, and where. */
export function writeRlmi(list: {
  readonly uri: string
  readonly version: number
  readonly fullState: boolean
  readonly resources: readonly ListedResource[]
}): Buffer {
  const resources = list.resources.map(({ uri, state, reason, cid }) => {
    const more = [
      reason === undefined ? '' : ` reason="${reason}"`,
      cid === undefined ? '' : ` cid="${escapeAttribute(cid)}"`,
    ]
    return `<resource uri="${escapeAttribute(uri)}"><instance id="1" state="${state}"${more.join('')}/></resource>`
  })
  return Buffer.from(
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
      `<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="${escapeAttribute(list.uri)}" version="${list.version}" fullState="${list.fullState}">` +
      `${resources.join('')}</list>\n`,
  )
}
