import { Failure } from '../../failure.ts'
import type { Invitation, Reply } from './dialogs.ts'
import type { Sender, Side } from './needs.ts'
import type { Session } from './session.ts'

export interface Named {
  readonly session: Session
  readonly side: Side
}

/**
 * An INVITE with Replaces (RFC 3891 §3). A party goes on from another device of theirs; nobody else takes their place, for
 * nobody else can have learnt of the dialog. What still rings is answered or given up, and not replaced.
 */
export async function replaceDialog(
  invitation: Invitation,
  sender: Sender,
  find: (dialog: object) => Named | undefined,
): Promise<Reply | undefined> {
  const { dialog, earlyOnly } = invitation.replaces ?? {}
  if (invitation.message.headers.all('replaces').length > 1) throw new Failure('malformed', 'more than one Replaces')
  const named = dialog && find(dialog)
  if (named === undefined || named.session.isInviting) return { status: 481 }
  if (!isSameUser(named.session.parties[named.side], sender)) return { status: 403 }
  if (named.session.isOver) return { status: 603 }
  if (earlyOnly === true) return { status: 486 }
  return await named.session.replace(named.side, invitation)
}

const isSameUser = (party: Sender, sender: Sender): boolean =>
  party.subscriber === undefined ? party.aor === sender.aor : party.subscriber.id === sender.subscriber?.id
