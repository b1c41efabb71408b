import type { PagerMessage } from './pager-message.ts'

/** A message for one owner. */
export interface StoredMessage {
  readonly owner: number
  readonly message: PagerMessage
  readonly direction: 'in' | 'out'
  readonly peer: string
  /** Part of the owner's history; otherwise it goes with the last device that it waits for. */
  readonly stored: boolean
  /** All addresses of the peer that are known. */
  readonly peers: readonly string[]
}

/** The row of a message for one owner. `identities`: those of the recipient, where they are known. */
export function storedMessage(
  message: PagerMessage,
  owner: number,
  direction: 'in' | 'out',
  stored: boolean,
  identities: readonly string[] = [message.recipient],
): StoredMessage {
  const { sender, recipient } = message
  if (direction === 'out') return { owner, message, direction, peer: recipient, stored, peers: identities }
  return { owner, message, direction, peer: sender.aor, stored, peers: sender.subscriber?.identities ?? [sender.aor] }
}
