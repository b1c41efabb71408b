/** The conditions of a request (RFC 9110 §13.1). Of a node, the entity tag is that of its document (RFC 4825 §7.11). */
export interface Conditions {
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
}

/** What to answer at once: 412, or 304 to a read; undefined where the request may go on. `etag`: of what is there. */
export function refusalOf({ ifMatch, ifNoneMatch }: Conditions, etag: string | undefined, read: boolean) {
  if (ifMatch !== undefined && !names(ifMatch, etag)) return 412
  if (ifNoneMatch !== undefined && names(ifNoneMatch, etag)) return read ? 304 : 412
  return undefined
}

/** Whether a list of entity tags, or `*`, names that of a resource; what is not there has none. */
function names(list: string, etag: string | undefined): boolean {
  if (etag === undefined) return false
  return list.trim() === '*' || list.split(',').some((one) => one.trim().replace(/^W\//, '') === `"${etag}"`)
}
