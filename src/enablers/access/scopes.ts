/** What a token may be used for: the message store as OMA NetAPI NMS §5.1.5 names it, and the other doors. */
export const scopes = [
  'oma_rest_nms.all_v1',
  'oma_rest_nms.create',
  'oma_rest_nms.read',
  'oma_rest_nms.modify',
  'oma_rest_nms.subscription',
  'content',
  'contacts',
  'xcap',
] as const

export type Scope = (typeof scopes)[number]

export const isScope = (name: string): name is Scope => (scopes as readonly string[]).includes(name)

/** Whether somebody with these scopes may do what needs that one. */
export const covers = (held: readonly Scope[], needed: Scope): boolean =>
  held.includes(needed) || (needed.startsWith('oma_rest_nms.') && held.includes('oma_rest_nms.all_v1'))
