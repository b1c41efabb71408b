/** The parties of a session of two, by who began it. */
export type Side = 'caller' | 'callee'
