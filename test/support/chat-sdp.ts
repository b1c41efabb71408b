export interface ChatSdp {
  readonly path: string
  readonly setup?: string
  readonly version?: number
  /** Further m= lines with what belongs to them. */
  readonly more?: string
}

/** A session description of a client that opens the MSRP connection itself, unless told otherwise. */
export function chatSdp({ path, setup = 'active', version = 1, more = '' }: ChatSdp): string {
  const port = /:(\d+)\//.exec(path)?.[1] ?? '9'
  const lines = [
    'v=0',
    `o=- 77 ${version} IN IP4 127.0.0.1`,
    's=-',
    'c=IN IP4 127.0.0.1',
    't=0 0',
    `m=message ${port} TCP/MSRP *`,
    `a=path:${path}`,
    `a=setup:${setup}`,
    'a=accept-types:message/cpim text/plain',
  ]
  return `${lines.join('\r\n')}\r\n${more}`
}

/** The value of the first attribute of that name. */
export const sdpAttribute = (sdp: string, name: string): string | undefined =>
  new RegExp(`^a=${name}:(.*?)\\r?$`, 'm').exec(sdp)?.[1]
