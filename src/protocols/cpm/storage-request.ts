import type { Headers } from '../sip/headers.ts'

/** No specification has a header field for this. In lower case: it is for this server, and goes no further. */
export const storageRequestHeader = 'parley-store'

/**
 * Whether who has written a request, or a response, wants a copy of their own of what it is about: by
 * `Parley-Store: yes`. It tells only of the writer's own copy.
 */
export const asksForStorage = (headers: Headers): boolean =>
  headers.get(storageRequestHeader)?.trim().toLowerCase() === 'yes'

/** The same in a session description: a party wants the session recorded (RFC 7866 §6.1.2). */
export const asksForRecording = (sdp: Buffer): boolean => /^a=recordpref:on\s*$/im.test(sdp.toString('latin1'))
