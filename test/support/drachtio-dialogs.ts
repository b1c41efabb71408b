import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Checked } from '../../src/protocols/sip/check-request.ts'
import type { Headers } from '../../src/protocols/sip/headers.ts'
import { type SipRequest, type SipResponse, writeMessage } from '../../src/protocols/sip/message.ts'
import { readUri } from '../../src/protocols/sip/uri.ts'
import type { DialogState } from '../../src/sip/dialog/dialog-state.ts'
import { type AppMessage, frame, frameTime } from './drachtio-frames.ts'

/** What a connection from an app is to the daemon. */
export interface App {
  readonly socket: Socket
  readonly routes: Set<string>
}

/** What a frame of an app is answered. */
export type Answer = (text: string, sent?: Buffer) => void

/** NOK, and why. */
export class Refusal extends Error {}

export interface Dialog {
  readonly id: string
  readonly app: App
  state: DialogState
  /** The txnId of the INVITE that it came with, for its ACK. */
  inviteId: string
  /** The number of the last INVITE from here, for its ACK; the ACK, for a 2xx that comes again. */
  inviteCSeq: number
  isAcceptable: boolean
  ack: SipRequest | undefined
  rseq: string
  stopRepeating: () => void
}

/** What requests in either direction share: dialogs, without the tag of the UAS in their names. */
export class DialogTable {
  readonly dialogs = new Map<string, Dialog>()
  /** The connection cache of registered contacts: by user and host, without port. */
  readonly contacts = new Map<string, string>()

  of({ callId, from, to }: Checked): Dialog | undefined {
    const byPeer = this.dialogs.get(`${callId};from-tag=${from.params.get('tag')}`)
    return byPeer ?? this.dialogs.get(`${callId};from-tag=${to.params.get('tag')}`)
  }

  forget(dialog: Dialog): void {
    dialog.stopRepeating()
    this.dialogs.delete(dialog.id)
  }

  clear(): void {
    for (const dialog of this.dialogs.values()) this.forget(dialog)
  }
}

/** A message from the network. WebSocket connections are called tcp. */
export function writeSip(
  app: App,
  message: SipRequest | SipResponse,
  source: { readonly transport: string; readonly address: string; readonly port: number },
  ids: string,
): void {
  const bytes = writeMessage(message)
  const protocol = source.transport.startsWith('ws') ? 'tcp' : source.transport
  const { address, port } = source
  app.socket.write(frame(`sip|network|${bytes.length}|${protocol}|${address}|${port}|${frameTime()}|${ids}`, bytes))
}

export const newTag = () => randomBytes(9).toString('base64url')

export function contactKey(uri: string): string {
  const { user, host } = readUri(uri)
  return `${user}@${host}`
}

/** A body that tells nothing of itself is a session description, or refused. */
export function addContentType(headers: Headers, { body }: AppMessage): void {
  if (body.length === 0 || headers.has('content-type')) return
  if (!body.subarray(0, 3).equals(Buffer.from('v=0'))) throw new Refusal('missing content-type')
  headers.add('Content-Type', 'application/sdp')
}

/** What the app may say, and the daemon does not hear. */
const never = ['via', 'route', 'record-route', 'rseq', 'content-length']
export const ownInResponse: ReadonlySet<string> = new Set([...never, 'from', 'to', 'call-id', 'cseq'])
export const ownInRequest: ReadonlySet<string> = new Set([...ownInResponse, 'max-forwards'])
export const ownWithinDialog: ReadonlySet<string> = new Set([...ownInRequest, 'rack'])
