/** The times of RFC 3261 §17 and table 4, in milliseconds. */
export const t1 = 500
export const t2 = 4000
export const t4 = 5000
/** Timers B, F, H, J, L and M. */
export const lifetime = 64 * t1
/** Timer D over UDP. */
export const timerD = 32_000
/** A server INVITE transaction says 100 by itself after this (§17.2.1). */
export const tryingAfter = 200
/** A server non-INVITE transaction says 100 after this: so long a client takes until timer E is T2 (RFC 4320 §4.1). */
export const nonInviteTryingAfter = t1 + 2 * t1 + 4 * t1
