/** A media type (RFC 2045 §5.1): type and parameter names in lower case, parameter values as they are meant. */
export interface ContentType {
  /** Such as `message/cpim`. */
  readonly type: string
  readonly params: ReadonlyMap<string, string>
}

const param = /;\s*([!#$%&'*+\-.0-9A-Z^_`a-z|~]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/gs

/** Reads a Content-Type or Content-Disposition value. What cannot be read is left out: this is asked of strangers. */
export function readContentType(value: string): ContentType {
  const params = new Map<string, string>()
  const semicolon = value.indexOf(';')
  if (semicolon !== -1) {
    for (const [, name, quoted, plain] of value.slice(semicolon).matchAll(param)) {
      const key = (name as string).toLowerCase()
      if (!params.has(key)) params.set(key, quoted === undefined ? (plain ?? '') : quoted.replace(/\\(.)/gs, '$1'))
    }
  }
  return { type: mediaType(value), params }
}

/** The type alone, cheaply: `Message/CPIM;charset=x` gives `message/cpim`. */
export function mediaType(value: string): string {
  const semicolon = value.indexOf(';')
  return (semicolon === -1 ? value : value.slice(0, semicolon)).trim().toLowerCase()
}
